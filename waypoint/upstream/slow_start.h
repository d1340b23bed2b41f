// How much of its share an endpoint gets while it is new: caches are cold and code is not compiled
// yet. Pure.
#pragma once

#include "config/model/l7/cluster.h"
#include "waypoint/upstream/endpoint.h"

namespace aquifer::waypoint {

/// (age / slow_start) ^ (1 / aggression), as Envoy's, but slow_start_min_percent at least.
[[nodiscard]] double warmth_of(const Endpoint& endpoint, const l7::Balancing& balancing,
                               MonoTime now) noexcept;

}  // namespace aquifer::waypoint
