#include "waypoint/cluster_view.h"

#include "waypoint/upstream/cluster.h"
#include "waypoint/worker.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <iterator>
#include <utility>

namespace aquifer::waypoint {
namespace {

using nlohmann::json;

ClusterView look_at(const Cluster& cluster, MonoTime now) {
  ClusterView view;
  view.config = cluster.config_pointer();
  const CircuitCounters& circuit = *cluster.circuit();
  view.connections = circuit.connections.load(std::memory_order_relaxed);
  view.pending = circuit.pending.load(std::memory_order_relaxed);
  view.requests = circuit.requests.load(std::memory_order_relaxed);
  view.retries = circuit.retries.load(std::memory_order_relaxed);
  view.overflows = circuit.overflows.load(std::memory_order_relaxed);
  view.ejections = circuit.ejections.total();
  for (const EndpointPtr& endpoint : cluster.endpoints()) {
    view.endpoints.push_back({.workload = endpoint->workload,
                              .address = endpoint->address,
                              .ready = endpoint->ready,
                              .ejected = cluster.is_ejected(*endpoint, now),
                              .weight = endpoint->weight,
                              .active = endpoint->active,
                              .latency_ms = endpoint->latency_ewma / 1e6});
  }
  return view;
}

void add(ClusterView& to, const ClusterView& from) {
  for (const EndpointView& endpoint : from.endpoints) {
    const auto same = std::ranges::find_if(to.endpoints, [&](const EndpointView& known) {
      return known.address == endpoint.address && known.workload->uid == endpoint.workload->uid;
    });
    if (same == to.endpoints.end()) {
      to.endpoints.push_back(endpoint);
      continue;
    }
    same->active += endpoint.active;
    same->ejected = same->ejected || endpoint.ejected;
    same->latency_ms = std::max(same->latency_ms, endpoint.latency_ms);
  }
}

const char* health_of(const EndpointView& endpoint) noexcept {
  if (endpoint.ejected) return "/failed_outlier_check";
  return endpoint.ready ? "healthy" : "/failed_eds_health";
}

}  // namespace

ClusterViews look_at_clusters(Worker& worker) {
  ClusterViews views;
  const MonoTime now = worker.loop.now();
  worker.clusters.for_each([&](const Cluster& cluster) {
    if (views.size() < kClustersShownMax)
      views.emplace(cluster.config().key, look_at(cluster, now));
  });
  return views;
}

ClusterViews together(std::vector<ClusterViews> views) {
  ClusterViews all;
  for (ClusterViews& some : views) {
    for (auto& [key, view] : some) {
      const auto [at, added] = all.try_emplace(key, view);
      if (!added) add(at->second, view);
    }
  }
  return all;
}

std::string clusters_text(const ClusterViews& views) {
  std::string out;
  auto to = std::back_inserter(out);
  for (const auto& [key, view] : views) {
    const std::string name = l7::display_name(*view.config);
    const auto number = [&](std::string_view what, std::uint64_t value) {
      fmt::format_to(to, "{}::{}::{}\n", name, what, value);
    };
    number("cx_active", view.connections);
    number("rq_pending", view.pending);
    number("rq_active", view.requests);
    number("rq_retries", view.retries);
    number("overflows", view.overflows);
    number("ejections", view.ejections);
    for (const EndpointView& endpoint : view.endpoints) {
      const std::string place = fmt::format("{}::{}", name, endpoint.address.to_string());
      fmt::format_to(to, "{}::hostname::{}/{}\n", place, endpoint.workload->ns,
                     endpoint.workload->name);
      fmt::format_to(to, "{}::health_flags::{}\n", place, health_of(endpoint));
      fmt::format_to(to, "{}::weight::{}\n", place, endpoint.weight);
      fmt::format_to(to, "{}::rq_active::{}\n", place, endpoint.active);
      if (endpoint.latency_ms > 0)
        fmt::format_to(to, "{}::latency_ms::{:.3f}\n", place, endpoint.latency_ms);
    }
  }
  return out;
}

json to_json(const ClusterView& view) {
  json endpoints = json::array();
  for (const EndpointView& endpoint : view.endpoints) {
    endpoints.push_back(json{{"address", endpoint.address.to_string()},
                             {"workload", endpoint.workload->ns + "/" + endpoint.workload->name},
                             {"uid", endpoint.workload->uid},
                             {"ready", endpoint.ready},
                             {"ejected", endpoint.ejected},
                             {"weight", endpoint.weight},
                             {"active", endpoint.active}});
  }
  return json{{"endpoints", std::move(endpoints)}, {"connections", view.connections},
              {"pending", view.pending},           {"requests", view.requests},
              {"retries", view.retries},           {"overflows", view.overflows},
              {"ejections", view.ejections}};
}

}  // namespace aquifer::waypoint
