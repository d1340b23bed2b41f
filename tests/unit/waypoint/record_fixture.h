// A request's record with everything in it, for tests of what is told of it.
#pragma once

#include "waypoint/request_record.h"

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <string_view>

namespace aquifer::waypoint {

inline SocketAddress address(std::string_view text) {
  auto parsed = SocketAddress::parse(text);
  REQUIRE(parsed.has_value());
  return *parsed;
}

inline model::WorkloadPtr workload(std::string_view ns, std::string_view name) {
  auto made = std::make_shared<model::Workload>();
  made->uid = "Kubernetes//Pod/" + std::string(ns) + "/" + std::string(name) + "-0";
  made->name = std::string(name) + "-0";
  made->ns = ns;
  made->identity = *SpiffeId::make("cluster.local", ns, name);
  made->workload_name = name;
  made->canonical_name = name;
  made->canonical_revision = "v1";
  made->cluster_id = "Kubernetes";
  return made;
}

inline std::shared_ptr<Downstream> a_downstream() {
  auto service = std::make_shared<model::Service>();
  service->ns = "shop";
  service->name = "web";
  service->hostname = "web.shop.svc.cluster.local";
  auto downstream = std::make_shared<Downstream>();
  downstream->identity = *SpiffeId::make("cluster.local", "front", "browser");
  downstream->source = address("10.1.0.2:40000");
  downstream->source_workload = workload("front", "browser");
  downstream->wanted = address("10.96.0.7:80");
  downstream->service = std::move(service);
  downstream->port = 80;
  return downstream;
}

/// `GET /cart?id=7` that was answered 200.
inline RequestRecord a_record() {
  using namespace std::chrono;
  RequestRecord record;
  record.started_at = sys_days(year(2026) / 11 / 26) + hours(9) + milliseconds(7);
  record.downstream = a_downstream();
  record.head.method = "GET";
  record.head.path = "/cart?id=7";
  record.head.authority = "web.shop";
  record.head.fields = {{"user-agent", "curl/8.0"},
                        {"X-Request-Id", "84961386-6d84-429d-98bd-c5aee93b5c88"}};
  record.bytes_sent = 135;
  record.status = 200;
  record.details = "via_upstream";
  auto route = std::make_shared<l7::Route>();
  route->name = "shop/web.0";
  record.route = std::move(route);
  auto cluster = std::make_shared<l7::Cluster>();
  cluster->key = "shop/web.shop.svc.cluster.local:80";
  cluster->service_ns = "shop";
  cluster->hostname = "web.shop.svc.cluster.local";
  cluster->port = 80;
  record.cluster = std::move(cluster);
  record.upstream_host = address("10.1.1.9:8080");
  record.upstream = workload("shop", "web");
  record.tries = 1;
  record.upstream_service_time = milliseconds(4);
  return record;
}

}  // namespace aquifer::waypoint
