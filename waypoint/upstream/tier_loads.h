// How much of the traffic each tier gets when nearer ones are partly sick. Pure.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace aquifer::waypoint {

/// Envoy's: with up to 2 of 7 endpoints sick, the others are thought to carry the tier's load.
inline constexpr double kOverprovisioning = 1.4;

struct Census {
  std::size_t healthy = 0;
  std::size_t members = 0;
};

/// In [0, 1]: how much of its load the tier can carry.
[[nodiscard]] double capacity_of(const Census& census) noexcept;

/// The nearest tier takes what it can carry, the next one what is left, and so on; when all
/// together cannot carry everything, each takes its part. Adds up to 1, or to 0 when nobody is
/// healthy.
[[nodiscard]] std::vector<double> tier_loads(std::span<const Census> tiers);

}  // namespace aquifer::waypoint
