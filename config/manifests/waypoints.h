// Which waypoint the labels of an object name, and where that waypoint is found.
#pragma once

#include "config/manifests/assembly.h"
#include "config/model/waypoint.h"

#include <optional>
#include <string>
#include <vector>

namespace aquifer::manifests {

/// Whom a waypoint serves: the label istio.io/waypoint-for of its Gateway.
struct WaypointPurpose {
  bool services = true;
  bool workloads = false;
};
[[nodiscard]] WaypointPurpose purpose_of(const WaypointObject& gateway);

/// The waypoints for connections to a service (or ServiceEntry): the one that its labels, else its
/// namespace's, name, and a canary beside it. One that is named and not there is among them: what
/// leads nowhere is refused when a connection asks for it.
[[nodiscard]] std::vector<model::WaypointRef> service_waypoints(const Assembly& assembly,
                                                                const Metadata& meta);

/// The waypoint for connections to a pod or VM itself. One that a namespace names but is not there
/// does not count: it could only serve workloads by saying so.
[[nodiscard]] std::optional<model::WaypointRef> workload_waypoint(const Assembly& assembly,
                                                                  const Metadata& meta);

/// Warns about what `meta` names that is not there or not meant for it. `kind` is for the object's
/// name.
void check_waypoint_labels(Assembly& assembly, const Metadata& meta, std::string_view kind);

/// Warns about what the Gateways themselves say.
void check_waypoints(Assembly& assembly);

}  // namespace aquifer::manifests
