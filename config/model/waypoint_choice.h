// Which waypoint a connection passes, and where that waypoint takes tunnels right now. Pure.
#pragma once

#include "common/base/address.h"
#include "common/base/spiffe.h"
#include "config/model/endpoint_choice.h"
#include "config/model/resolve.h"
#include "config/model/snapshot.h"
#include "config/model/waypoint.h"

#include <expected>
#include <span>
#include <string_view>
#include <vector>

namespace aquifer::model {

/// One of several by weight. `waypoints` is not empty; equal numbers choose equally.
[[nodiscard]] const WaypointRef& pick_waypoint(std::span<const WaypointRef> waypoints,
                                               std::uint64_t random) noexcept;

/// A waypoint's endpoint that takes the connection.
struct WaypointChoice {
  WorkloadPtr workload;
  SocketAddress tunnel;
  /// The workload's own, and those that its service may show.
  std::vector<SpiffeId> expected_identities;
  EndpointId endpoint = 0;
  std::size_t endpoints = 0;
};

enum class WaypointFailure : std::uint8_t { missing, not_ready, no_identity };
/// "does not exist", "has no ready endpoint", "has no identity".
[[nodiscard]] std::string_view name_of(WaypointFailure failure) noexcept;

[[nodiscard]] std::expected<WaypointChoice, WaypointFailure> find_waypoint(
    const Snapshot& snapshot, const WaypointRef& waypoint, const ResolveRequest& request);

/// The service that stands for the waypoint; null when there is none, or when it is named by a
/// workload's address.
[[nodiscard]] const ServiceRecordPtr& waypoint_service(const Snapshot& snapshot,
                                                       const WaypointRef& waypoint,
                                                       std::string_view client_ns);

/// The question that is asked about the endpoints of a waypoint's service.
[[nodiscard]] EndpointQuestion waypoint_question(const Snapshot& snapshot,
                                                 const ServiceRecord& record,
                                                 const WaypointRef& waypoint,
                                                 const ResolveRequest& request);

/// Is `workload` one of those that are this waypoint? What comes from it is not sent back to it.
[[nodiscard]] bool is_served_by(const Snapshot& snapshot, const WaypointRef& waypoint,
                                const Workload& workload);

}  // namespace aquifer::model
