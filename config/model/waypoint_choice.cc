#include "config/model/waypoint_choice.h"

#include "common/base/assert.h"

#include <algorithm>
#include <numeric>

namespace aquifer::model {
namespace {

// Waypoint and endpoint are drawn from one number: mixed, so that one does not decide the other.
std::uint64_t mixed(std::uint64_t random) noexcept {
  std::uint64_t z = random + 0x9e3779b97f4a7c15ULL;
  z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27U)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31U);
}

const WorkloadPtr& waypoint_workload(const Snapshot& snapshot, const WaypointRef& waypoint) {
  static const WorkloadPtr kNone;
  if (!waypoint.address) return kNone;
  return snapshot.workload_by_ip(waypoint.address->network, waypoint.address->ip);
}

std::expected<WaypointChoice, WaypointFailure> with_identities(WaypointChoice choice) {
  if (!choice.workload->identity.empty())
    choice.expected_identities.push_back(choice.workload->identity);
  // With nobody to expect, anybody would do.
  if (choice.expected_identities.empty()) return std::unexpected(WaypointFailure::no_identity);
  return choice;
}

std::expected<WaypointChoice, WaypointFailure> from_service(const EndpointQuestion& question) {
  auto endpoint = choose_endpoint(question);
  // A host name behind a waypoint would be a waypoint outside the mesh: nobody vouches for it.
  if (!endpoint || endpoint->workload->addresses.empty())
    return std::unexpected(WaypointFailure::not_ready);
  WaypointChoice choice;
  choice.workload = std::move(endpoint->workload);
  choice.tunnel = endpoint->address;
  choice.expected_identities = question.record.service->subject_alt_names;
  choice.endpoint = endpoint->id;
  choice.endpoints = question.record.endpoints->endpoints.size();
  return with_identities(std::move(choice));
}

}  // namespace

const WaypointRef& pick_waypoint(std::span<const WaypointRef> waypoints,
                                 std::uint64_t random) noexcept {
  AQUIFER_ASSERT(!waypoints.empty());
  if (waypoints.size() == 1) return waypoints.front();
  const std::uint64_t total = std::accumulate(
      waypoints.begin(), waypoints.end(), std::uint64_t{0},
      [](std::uint64_t sum, const WaypointRef& waypoint) { return sum + waypoint.weight; });
  std::uint64_t place = total == 0 ? 0 : mixed(random) % total;
  for (const WaypointRef& waypoint : waypoints) {
    if (place < waypoint.weight) return waypoint;
    place -= waypoint.weight;
  }
  return waypoints.front();
}

std::string_view name_of(WaypointFailure failure) noexcept {
  switch (failure) {
    case WaypointFailure::missing: return "does not exist";
    case WaypointFailure::not_ready: return "has no ready endpoint";
    case WaypointFailure::no_identity: return "has no identity";
  }
  return "does not exist";
}

const ServiceRecordPtr& waypoint_service(const Snapshot& snapshot, const WaypointRef& waypoint,
                                         std::string_view client_ns) {
  if (waypoint.address)
    return snapshot.service_by_vip(waypoint.address->network, waypoint.address->ip, client_ns);
  return snapshot.service_by_host(waypoint.ns, waypoint.hostname);
}

EndpointQuestion waypoint_question(const Snapshot& snapshot, const ServiceRecord& record,
                                   const WaypointRef& waypoint, const ResolveRequest& request) {
  return EndpointQuestion{.snapshot = snapshot,
                          .record = record,
                          .client = *request.source,
                          .wanted = SocketAddress{request.destination.addr.ip, waypoint.port},
                          .ports = PortRule::mapped_or_same,
                          .random = request.random,
                          .tried = request.tried,
                          .avoided = request.avoided,
                          .now = request.now};
}

std::expected<WaypointChoice, WaypointFailure> find_waypoint(const Snapshot& snapshot,
                                                             const WaypointRef& waypoint,
                                                             const ResolveRequest& request) {
  const auto& record = waypoint_service(snapshot, waypoint, request.source->ns);
  if (record != nullptr)
    return from_service(waypoint_question(snapshot, *record, waypoint, request));
  const WorkloadPtr& workload = waypoint_workload(snapshot, waypoint);
  if (workload == nullptr) return std::unexpected(WaypointFailure::missing);
  if (workload->health != Health::healthy) return std::unexpected(WaypointFailure::not_ready);
  WaypointChoice choice;
  choice.workload = workload;
  choice.tunnel = SocketAddress{waypoint.address->ip, waypoint.port};
  return with_identities(std::move(choice));
}

bool is_served_by(const Snapshot& snapshot, const WaypointRef& waypoint, const Workload& workload) {
  const auto& record = waypoint_service(snapshot, waypoint, workload.ns);
  if (record != nullptr) return record->endpoints->find(workload.uid) != nullptr;
  const WorkloadPtr& named = waypoint_workload(snapshot, waypoint);
  return named != nullptr && named->uid == workload.uid;
}

}  // namespace aquifer::model
