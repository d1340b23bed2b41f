#include "common/jwt/json.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <utility>

namespace aquifer::jwt {
namespace {

// Does it nest no deeper than allowed? Counts brackets outside texts; what is no JSON at all is
// found by the parser.
bool is_shallow(std::string_view text) noexcept {
  int depth = 0;
  bool in_text = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_text) {
      if (c == '\\') ++i;
      in_text = c != '"';
    } else if (c == '"') {
      in_text = true;
    } else if (c == '{' || c == '[') {
      if (++depth > kJsonDepthMax) return false;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return true;
}

std::string number_text(double value) {
  constexpr double kExact = 9007199254740992.0;  // 2^53: whole numbers up to it are exact
  if (std::trunc(value) == value && std::abs(value) < kExact) {
    return fmt::format("{}", static_cast<std::int64_t>(value));
  }
  return fmt::format("{}", value);
}

}  // namespace

std::optional<nlohmann::json> parse_object(std::string_view text) {
  if (!is_shallow(text)) return std::nullopt;
  nlohmann::json value = nlohmann::json::parse(text, nullptr, false);
  if (!value.is_object()) return std::nullopt;
  return value;
}

Claim claim_of(const nlohmann::json& value, std::string name) {
  Claim claim;
  claim.name = std::move(name);
  if (value.is_object()) {
    claim.kind = Claim::Kind::object;
    for (const auto& [key, part] : value.items()) claim.parts.push_back(claim_of(part, key));
  } else if (value.is_array()) {
    claim.kind = Claim::Kind::list;
    for (const auto& part : value) claim.parts.push_back(claim_of(part, {}));
  } else if (value.is_string()) {
    claim.kind = Claim::Kind::text;
    claim.text = value.get_ref<const std::string&>();
  } else if (value.is_boolean()) {
    claim.kind = Claim::Kind::boolean;
    claim.text = value.get<bool>() ? "true" : "false";
  } else if (value.is_number_unsigned()) {
    claim.kind = Claim::Kind::number;
    claim.text = fmt::format("{}", value.get<std::uint64_t>());
  } else if (value.is_number_integer()) {
    claim.kind = Claim::Kind::number;
    claim.text = fmt::format("{}", value.get<std::int64_t>());
  } else if (value.is_number_float()) {
    claim.kind = Claim::Kind::number;
    claim.text = number_text(value.get<double>());
  }
  return claim;
}

}  // namespace aquifer::jwt
