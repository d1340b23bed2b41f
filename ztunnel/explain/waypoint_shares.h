// Waypoints that share a service's connections by weight, for `explain`: which one a connection
// gets is drawn, so that all of them are told. Pure.
#pragma once

#include "config/model/waypoint.h"
#include "ztunnel/explain/explanation.h"

#include <cstdint>
#include <vector>

namespace aquifer::ztunnel {

/// One that gets connections, and a number for resolve() that leads there.
struct WaypointDraw {
  model::WaypointRef waypoint;
  std::uint64_t number = 0;
};
/// Those with a weight, in their order.
[[nodiscard]] std::vector<WaypointDraw> draws_of(const std::vector<model::WaypointRef>& waypoints);

/// What becomes of a connection that gets this one.
struct WaypointShare {
  model::WaypointRef waypoint;
  ConnectionStep way;
};
/// All as one: the endpoints of each, a note for each, and what they come to together. `shares` is
/// not empty.
[[nodiscard]] ConnectionStep join_shares(std::vector<WaypointShare> shares);

}  // namespace aquifer::ztunnel
