#include "waypoint/upstream/slow_start.h"

#include <algorithm>
#include <cmath>

namespace aquifer::waypoint {
namespace {

// Without any request an endpoint never gets warm, whatever was written.
constexpr double kColdest = 0.01;

double coldest(const l7::Balancing& balancing) noexcept {
  return std::clamp(balancing.slow_start_min_percent / 100.0, kColdest, 1.0);
}

}  // namespace

double warmth_of(const Endpoint& endpoint, const l7::Balancing& balancing, MonoTime now) noexcept {
  if (balancing.slow_start <= Duration::zero() || endpoint.since == MonoTime::min()) return 1;
  const Duration age = now - endpoint.since;
  if (age >= balancing.slow_start) return 1;
  if (age <= Duration::zero()) return coldest(balancing);
  const double part =
      static_cast<double>(age.count()) / static_cast<double>(balancing.slow_start.count());
  // An aggression that is no positive number counts as 1: straight.
  const double shaped = balancing.slow_start_aggression > 0 && balancing.slow_start_aggression != 1
                            ? std::pow(part, 1 / balancing.slow_start_aggression)
                            : part;
  return std::clamp(shaped, coldest(balancing), 1.0);
}

}  // namespace aquifer::waypoint
