// JSON from outside: bounded before it is parsed. For .cc files of common/jwt only.
#pragma once

#include "common/base/claims.h"

#include <nlohmann/json.hpp>

#include <optional>
#include <string_view>

namespace aquifer::jwt {

/// Real tokens and key sets nest four deep.
inline constexpr int kJsonDepthMax = 32;

/// None for what is no JSON object, or nests too deep.
[[nodiscard]] std::optional<nlohmann::json> parse_object(std::string_view text);

[[nodiscard]] Claim claim_of(const nlohmann::json& value, std::string name);

}  // namespace aquifer::jwt
