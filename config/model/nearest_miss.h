// What would have had to be different for a denied connection to pass. Found by the code that
// decides: a change is only said after authorize() allowed the connection with it.
#pragma once

#include "config/model/authorization.h"

#include <cstddef>
#include <limits>
#include <string>

namespace aquifer::model {

/// "would pass if the principal were cluster.local/ns/shop/sa/web"; empty when `verdict` allows, or
/// when nothing near was found. Looks at `rules_max` ALLOW rules at most, and tries few of them.
[[nodiscard]] std::string nearest_miss(
    const AuthorizationBook& book, const AuthorizationRequest& request,
    const AuthorizationVerdict& verdict,
    std::size_t rules_max = std::numeric_limits<std::size_t>::max());

}  // namespace aquifer::model
