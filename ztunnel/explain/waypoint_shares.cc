#include "ztunnel/explain/waypoint_shares.h"

#include "common/base/assert.h"
#include "config/model/waypoint_choice.h"
#include "ztunnel/explain/way.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

namespace aquifer::ztunnel {
namespace {

// A weight of one in a hundred is drawn long before.
constexpr std::uint64_t kDrawsMax = 10'000;

void add_all(std::vector<EndpointStep>& to, std::vector<EndpointStep> more,
             const std::string& waypoint) {
  for (EndpointStep& one : more) {
    one.waypoint = waypoint;
    to.push_back(std::move(one));
  }
}

std::string describe(const WaypointShare& share, std::uint64_t total) {
  const std::string& failure = share.way.failure;
  return fmt::format("waypoint {} gets {} of {} connections: {}{}{}", share.waypoint.name,
                     share.waypoint.weight, total, name_of(share.way.outcome),
                     failure.empty() ? "" : ": ", failure);
}

}  // namespace

std::vector<WaypointDraw> draws_of(const std::vector<model::WaypointRef>& waypoints) {
  std::vector<WaypointDraw> draws;
  for (const model::WaypointRef& waypoint : waypoints) {
    if (waypoint.weight == 0) continue;
    std::uint64_t number = 0;
    while (number < kDrawsMax && &model::pick_waypoint(waypoints, number) != &waypoint) ++number;
    if (number < kDrawsMax) draws.push_back({waypoint, number});
  }
  return draws;
}

ConnectionStep join_shares(std::vector<WaypointShare> shares) {
  AQUIFER_ASSERT(!shares.empty());
  std::uint64_t total = 0;
  for (const WaypointShare& share : shares) total += share.waypoint.weight;
  ConnectionStep all;
  all.destination = shares.front().way.destination;
  all.service = shares.front().way.service;
  all.service_ns = shares.front().way.service_ns;
  all.waypoint = shares.front().way.waypoint;
  for (WaypointShare& share : shares) {
    all.outcome = together(all.outcome, share.way.outcome);
    all.notes.push_back(describe(share, total));
    add_all(all.endpoints, std::move(share.way.endpoints), share.waypoint.name);
    add_all(all.behind, std::move(share.way.behind), share.waypoint.name);
  }
  // What is said of all of them is said once.
  for (const WaypointShare& share : shares) {
    for (const std::string& note : share.way.notes) {
      if (std::ranges::find(all.notes, note) == all.notes.end()) all.notes.push_back(note);
    }
  }
  if (all.outcome == Outcome::fails) all.failure = shares.front().way.failure;
  return all;
}

}  // namespace aquifer::ztunnel
