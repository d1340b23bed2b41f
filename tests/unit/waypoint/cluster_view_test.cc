#include "waypoint/cluster_view.h"

#include "tests/unit/waypoint/record_fixture.h"
#include "waypoint/route_json.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace aquifer;
using namespace aquifer::waypoint;

namespace {

ClusterViews views(std::uint32_t active, bool ejected) {
  ClusterView view;
  view.config = a_record().cluster;
  view.requests = 3;
  view.endpoints.push_back({.workload = workload("shop", "web"),
                            .address = address("10.1.1.9:8080"),
                            .ready = true,
                            .ejected = ejected,
                            .weight = 1,
                            .active = active,
                            .latency_ms = 0});
  ClusterViews views;
  views.emplace(view.config->key, view);
  return views;
}

}  // namespace

TEST_CASE(
    "a cluster that several workers use is shown once: requests add up, shared counts do not") {
  const ClusterViews all = together({views(1, false), views(2, true)});
  REQUIRE(all.size() == 1);
  const ClusterView& view = all.begin()->second;
  CHECK(view.requests == 3);
  REQUIRE(view.endpoints.size() == 1);
  CHECK(view.endpoints[0].active == 3);
  CHECK(view.endpoints[0].ejected);
}

TEST_CASE("the text names each endpoint and how it stands") {
  const std::string text = clusters_text(views(2, true));
  const std::string name = "inbound-vip|80|http|web.shop.svc.cluster.local";
  CHECK(text.find(name + "::rq_active::3\n") != std::string::npos);
  CHECK(text.find(name + "::10.1.1.9:8080::health_flags::/failed_outlier_check\n") !=
        std::string::npos);
  CHECK(text.find(name + "::10.1.1.9:8080::rq_active::2\n") != std::string::npos);
}

TEST_CASE("routes are shown in their order, with shares, rewrites and faults") {
  auto route = std::make_shared<l7::Route>();
  route->name = "r";
  route->match.path.kind = l7::PathMatch::Kind::segment_prefix;
  route->match.path.text = "/a";
  l7::Forward forward;
  for (const std::uint32_t weight : {90U, 10U}) {
    l7::WeightedCluster cluster;
    cluster.cluster = "k" + std::to_string(weight);
    cluster.weight = weight;
    forward.clusters.push_back(std::move(cluster));
  }
  forward.path.kind = l7::PathRewrite::Kind::prefix;
  forward.path.text = "/b";
  route->action = std::move(forward);
  l7::Fault fault;
  fault.abort_millionths = l7::kWhole;
  fault.abort_status = 418;
  route->fault = fault;
  l7::Chain chain;
  chain.service = "shop/web";
  auto last = std::make_shared<l7::Route>();
  last->name = "last";
  last->action = l7::Redirect();
  chain.routes = l7::RouteTable({std::move(route), std::move(last)});
  const auto json = to_json(chain);
  REQUIRE(json.at("routes").size() == 2);
  const auto& first = json.at("routes")[0];
  CHECK(first.at("match").at("path").at("segmentPrefix") == "/a");
  CHECK(first.at("forward").at("clusters")[0].at("weight") == 90);
  CHECK(first.at("forward").at("path").at("kind") == "prefix");
  CHECK(first.at("fault").at("abort").at("status") == 418);
  CHECK(json.at("routes")[1].at("redirect").at("status") == 302);
}
