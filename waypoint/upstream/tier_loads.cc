#include "waypoint/upstream/tier_loads.h"

#include <algorithm>

namespace aquifer::waypoint {

double capacity_of(const Census& census) noexcept {
  if (census.members == 0) return 0;
  return std::min(1.0, kOverprovisioning * static_cast<double>(census.healthy) /
                           static_cast<double>(census.members));
}

std::vector<double> tier_loads(std::span<const Census> tiers) {
  double sum = 0;
  for (const Census& tier : tiers) sum += capacity_of(tier);
  const double whole = std::min(1.0, sum);
  std::vector<double> loads;
  double left = 1;
  for (const Census& tier : tiers) {
    const double load = whole > 0 ? std::min(left, capacity_of(tier) / whole) : 0;
    loads.push_back(load);
    left -= load;
  }
  return loads;
}

}  // namespace aquifer::waypoint
