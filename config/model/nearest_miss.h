// What would have had to be different for a denied connection to pass. Found by the code that
// decides: a change is only said after authorize() allowed the connection with it.
#pragma once

#include "config/model/authorization.h"

#include <cstddef>
#include <limits>
#include <string>

namespace aquifer::model {

/// What a search may cost.
struct MissEffort {
  /// ALLOW rules that are looked at.
  std::size_t rules = std::numeric_limits<std::size_t>::max();
  /// Changed connections that are tried; each is a decision.
  std::size_t trials = 1024;
};

/// "would pass if the principal were cluster.local/ns/shop/sa/web"; empty when `verdict` allows, or
/// when nothing near was found.
[[nodiscard]] std::string nearest_miss(const AuthorizationBook& book,
                                       const AuthorizationRequest& request,
                                       const AuthorizationVerdict& verdict,
                                       const MissEffort& effort = {});

}  // namespace aquifer::model
