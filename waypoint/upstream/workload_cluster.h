// The cluster that is one workload's own port: where clients of a waypoint mean a workload and no
// service. Pure.
#pragma once

#include "config/model/l7/cluster.h"
#include "config/model/service.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace aquifer::waypoint {

/// `workload:UID:PORT`
[[nodiscard]] std::string workload_cluster_key(std::string_view uid, std::uint16_t port);
/// Null when the key is another.
[[nodiscard]] l7::ClusterPtr workload_cluster(std::string_view key);
/// Is it made by workload_cluster()?
[[nodiscard]] bool is_workload_cluster(const l7::Cluster& cluster) noexcept;
/// A service that nobody else knows, with the workload as its only endpoint.
[[nodiscard]] model::ServiceRecord lone_record(const l7::Cluster& cluster);

}  // namespace aquifer::waypoint
