// Policies as /config_dump shows them. Plain functions.
#pragma once

#include "config/model/books.h"

#include <nlohmann/json_fwd.hpp>

namespace aquifer::ztunnel {

/// In the peer's form.
[[nodiscard]] nlohmann::json authorization_json(const model::AuthorizationBook& book);
/// Kinds that the peer does not have, in words near those of their manifests.
[[nodiscard]] nlohmann::json egress_json(const model::EgressBook& book);
[[nodiscard]] nlohmann::json network_json(const model::NetworkPolicyBook& book);

}  // namespace aquifer::ztunnel
