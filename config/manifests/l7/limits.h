// The limits of what a mesh's routes may become, with their reasons.
#pragma once

#include <cstddef>

namespace aquifer::manifests {

/// Every route is there once for each port that it is bound to: a few lines could ask for billions.
/// A mesh of 10,000 services with ten matches each stays far below; a route costs about half a KiB.
inline constexpr std::size_t kRoutesMax = 500'000;
/// The same for clusters: subsets times ports.
inline constexpr std::size_t kClustersMax = 200'000;

}  // namespace aquifer::manifests
