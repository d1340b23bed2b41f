// Chains, routes and clusters of the L7 form as /config_dump shows them. Plain functions.
#pragma once

#include "config/model/l7/chain.h"
#include "config/model/l7/cluster.h"

#include <nlohmann/json_fwd.hpp>

namespace aquifer::waypoint {

/// With its routes in their order of precedence.
[[nodiscard]] nlohmann::json to_json(const l7::Chain& chain);
[[nodiscard]] nlohmann::json to_json(const l7::Route& route);
/// What was configured of it, without endpoints.
[[nodiscard]] nlohmann::json to_json(const l7::Cluster& cluster);

}  // namespace aquifer::waypoint
