#include "common/jwt/token.h"

#include "common/jwt/base64url.h"
#include "common/jwt/json.h"

#include <algorithm>
#include <utility>

namespace aquifer::jwt {
namespace {

// Seconds since 1970 beyond which arithmetic on them would be in danger: the year 9999 and more.
constexpr double kSecondsMax = 1e12;

// A text, or nothing at all: anything else is a fault.
bool read_text(const nlohmann::json& object, const char* name, std::string& out) {
  const auto at = object.find(name);
  if (at == object.end()) return true;
  if (!at->is_string()) return false;
  out = at->get_ref<const std::string&>();
  return true;
}

bool read_time(const nlohmann::json& object, const char* name,
               std::optional<std::chrono::sys_seconds>& out) {
  const auto at = object.find(name);
  if (at == object.end()) return true;
  if (!at->is_number()) return false;
  const double seconds = at->get<double>();
  // Written so that what is no number fails, too.
  if (!(seconds >= 0 && seconds <= kSecondsMax)) return false;
  out = std::chrono::sys_seconds(std::chrono::seconds(static_cast<std::int64_t>(seconds)));
  return true;
}

bool read_audiences(const nlohmann::json& object, std::vector<std::string>& out) {
  const auto at = object.find("aud");
  if (at == object.end()) return true;
  if (at->is_string()) {
    out.push_back(at->get_ref<const std::string&>());
    return true;
  }
  if (!at->is_array()) return false;
  for (const auto& audience : *at) {
    if (!audience.is_string()) return false;
    out.push_back(audience.get_ref<const std::string&>());
  }
  return true;
}

std::optional<Fault> read_header(std::string_view part, Token& token) {
  const auto text = decode_base64url(part);
  const auto header = text ? parse_object(*text) : std::nullopt;
  if (!header) return Fault::bad_header;
  if (!read_text(*header, "alg", token.algorithm) || token.algorithm.empty()) {
    return Fault::bad_algorithm;
  }
  // RFC 7515 section 4.1.11: what must be understood and is not makes the token invalid.
  if (header->contains("crit")) return Fault::bad_header;
  if (!read_text(*header, "kid", token.key_id)) return Fault::bad_header;
  return std::nullopt;
}

std::optional<Fault> read_payload(std::string_view part, Token& token) {
  const auto text = decode_base64url(part);
  const auto payload = text ? parse_object(*text) : std::nullopt;
  if (!payload) return Fault::bad_payload;
  const bool good =
      read_text(*payload, "iss", token.issuer) && read_text(*payload, "sub", token.subject) &&
      read_audiences(*payload, token.audiences) && read_time(*payload, "exp", token.expires) &&
      read_time(*payload, "nbf", token.not_before);
  if (!good) return Fault::bad_payload;
  token.claims = claim_of(*payload, {});
  return std::nullopt;
}

std::string_view bare(std::string_view audience) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (audience.starts_with(scheme)) {
      audience.remove_prefix(scheme.size());
      break;
    }
  }
  if (audience.ends_with('/')) audience.remove_suffix(1);
  return audience;
}

}  // namespace

std::string_view text_of(Fault fault) noexcept {
  switch (fault) {
    case Fault::missing: return "Jwt is missing";
    case Fault::bad_format:
      return "Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections";
    case Fault::bad_header: return "Jwt header is an invalid JSON";
    case Fault::bad_algorithm: return "Jwt header [alg] is not supported";
    case Fault::bad_payload: return "Jwt payload is an invalid JSON";
    case Fault::bad_signature: return "Jwt signature is an invalid Base64url encoded";
    case Fault::not_yet_valid: return "Jwt not yet valid";
    case Fault::expired: return "Jwt is expired";
    case Fault::unknown_issuer: return "Jwt issuer is not configured";
    case Fault::audience_not_allowed: return "Audiences in Jwt are not allowed";
    case Fault::no_valid_keys: return "Jwks doesn't have any valid public key";
    case Fault::no_matching_key: return "Jwks doesn't have key to match kid or alg from Jwt";
    case Fault::verification_failed: return "Jwt verification fails";
    case Fault::keys_not_fetched: return "Jwks remote fetch is failed";
  }
  return "";
}

std::expected<Token, Fault> parse_token(std::string_view text) {
  const std::size_t first = text.find('.');
  const std::size_t second = first == std::string_view::npos ? first : text.find('.', first + 1);
  if (text.size() > kTokenBytesMax || second == std::string_view::npos ||
      text.find('.', second + 1) != std::string_view::npos) {
    return std::unexpected(Fault::bad_format);
  }
  Token token;
  if (const auto fault = read_header(text.substr(0, first), token)) return std::unexpected(*fault);
  const std::string_view payload = text.substr(first + 1, second - first - 1);
  if (const auto fault = read_payload(payload, token)) return std::unexpected(*fault);
  auto signature = decode_base64url(text.substr(second + 1));
  if (!signature || signature->empty()) return std::unexpected(Fault::bad_signature);
  token.signature = std::move(*signature);
  token.signed_text = text.substr(0, second);
  token.payload = payload;
  return token;
}

std::optional<Fault> check_time(const Token& token, std::chrono::sys_seconds now) {
  if (token.not_before && now + kClockSkew < *token.not_before) return Fault::not_yet_valid;
  if (token.expires && now > *token.expires + kClockSkew) return Fault::expired;
  return std::nullopt;
}

bool is_for(const Token& token, const std::vector<std::string>& allowed) {
  if (allowed.empty()) return true;
  return std::ranges::any_of(token.audiences, [&](const std::string& audience) {
    return std::ranges::any_of(
        allowed, [&](const std::string& name) { return bare(name) == bare(audience); });
  });
}

void split_claims(Claim& claims, const std::vector<std::string>& names) {
  for (Claim& claim : claims.parts) {
    if (claim.kind != Claim::Kind::text || std::ranges::find(names, claim.name) == names.end()) {
      continue;
    }
    const std::string text = std::exchange(claim.text, {});
    claim.kind = Claim::Kind::list;
    for (std::string_view rest = text; !rest.empty();) {
      const std::size_t end = std::min(rest.find(' '), rest.size());
      if (end > 0) claim.parts.push_back(Claim::of_text({}, std::string(rest.substr(0, end))));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
}

}  // namespace aquifer::jwt
