// Clusters as pages show them: endpoints, how they stand, and what is under way, of all workers
// together. Values.
#pragma once

#include "config/model/l7/cluster.h"
#include "config/model/workload.h"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace aquifer::waypoint {

struct Worker;

struct EndpointView {
  model::WorkloadPtr workload;
  SocketAddress address;
  bool ready = true;
  bool ejected = false;
  std::uint32_t weight = 1;
  std::uint32_t active = 0;  ///< requests under way
  double latency_ms = 0;     ///< of the worker with the highest; 0: nobody knows
};

struct ClusterView {
  l7::ClusterPtr config;
  std::vector<EndpointView> endpoints;
  // Counted for all workers together.
  std::uint32_t connections = 0;
  std::uint32_t pending = 0;
  std::uint32_t requests = 0;
  std::uint32_t retries = 0;
  std::uint64_t overflows = 0;
  std::uint64_t ejections = 0;
};

/// By Cluster::key.
using ClusterViews = std::map<std::string, ClusterView>;

/// Those that one worker has used, at most kClustersShownMax. On its thread.
[[nodiscard]] ClusterViews look_at_clusters(Worker& worker);
/// The same clusters as several workers saw them, as one.
[[nodiscard]] ClusterViews together(std::vector<ClusterViews> views);

/// Lines `CLUSTER::ADDRESS::NAME::VALUE`, as Envoy's /clusters has them.
[[nodiscard]] std::string clusters_text(const ClusterViews& views);
[[nodiscard]] nlohmann::json to_json(const ClusterView& view);

/// About 200 bytes and their endpoints each; a namespace has fewer.
inline constexpr std::size_t kClustersShownMax = 10'000;

}  // namespace aquifer::waypoint
