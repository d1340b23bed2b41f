// Who belongs to a cluster: the endpoints of its service that serve its port from here. Compares
// with who belonged before, so that what stays is kept. On the cluster's loop.
#pragma once

#include "config/model/l7/cluster.h"
#include "config/model/snapshot.h"
#include "waypoint/upstream/endpoint.h"
#include "waypoint/upstream/standpoint.h"

#include <cstdint>
#include <span>
#include <vector>

namespace aquifer::waypoint {

/// How new are endpoints that were not there before?
enum class Newcomers : std::uint8_t {
  warm,  ///< the cluster itself is new: who knows how long they have been there
  cold,  ///< slow start
};

struct MembersQuestion {
  const model::Snapshot& snapshot;
  /// May be null: the service is gone.
  const model::ServiceRecord* record = nullptr;
  const l7::Cluster& cluster;
  const Standpoint& here;
  std::span<const EndpointPtr> before;
  Newcomers newcomers = Newcomers::cold;
  MonoTime now{};
};

struct Members {
  std::vector<EndpointPtr> endpoints;
  /// Somebody came, went, moved, got another weight, or became ready or not.
  bool changed = false;
};

[[nodiscard]] Members gather_members(const MembersQuestion& question);

}  // namespace aquifer::waypoint
