// What would have had to be different for a refused request to pass. Found by the code that
// decides: a change is only said after authorize() allowed the request with it.
#pragma once

#include "config/model/l7/security_decision.h"

#include <cstddef>
#include <limits>
#include <string>

namespace aquifer::l7 {

/// What a search may cost.
struct MissEffort {
  /// ALLOW rules that are looked at.
  std::size_t rules = std::numeric_limits<std::size_t>::max();
  /// Changed requests that are tried; each is a decision.
  std::size_t trials = 1024;
};

/// "would pass if the method were GET"; empty when `verdict` allows, or when nothing near was
/// found.
[[nodiscard]] std::string nearest_miss(const SecurityBook& book, const SecurityQuestion& question,
                                       const SecurityVerdict& verdict,
                                       const MissEffort& effort = {});

}  // namespace aquifer::l7
