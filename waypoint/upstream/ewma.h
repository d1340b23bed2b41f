// An endpoint's latency as one number that remembers peaks and forgets slowly (Linkerd's
// peak-EWMA). Pure but for the endpoint's own fields.
#pragma once

#include "waypoint/upstream/endpoint.h"

namespace aquifer::waypoint {

/// An answer took this long: longer than the mean counts at once, shorter little by little.
void note_latency(Endpoint& endpoint, Duration latency, MonoTime now) noexcept;

/// The mean as it is now, in nanoseconds; a guess for one that has not answered yet.
[[nodiscard]] double latency_of(const Endpoint& endpoint, MonoTime now) noexcept;

/// What balancers compare: latency times the requests it would then have under way.
[[nodiscard]] double latency_cost(const Endpoint& endpoint, MonoTime now) noexcept;

}  // namespace aquifer::waypoint
