// A JSON Web Token as it was written: its parts, not yet believed (RFC 7519, RFC 7515). Plain
// values; any thread.
#pragma once

#include "common/base/claims.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace aquifer::jwt {

/// The longest token that is looked at. A request's header fields have a limit of their own, which
/// is larger.
inline constexpr std::size_t kTokenBytesMax = 16384;
/// How far clocks may be apart: Istio's default.
inline constexpr std::chrono::seconds kClockSkew{60};

/// Why a token is not believed.
enum class Fault : std::uint8_t {
  missing,
  bad_format,
  bad_header,
  bad_algorithm,
  bad_payload,
  bad_signature,
  not_yet_valid,
  expired,
  unknown_issuer,
  audience_not_allowed,
  no_valid_keys,
  no_matching_key,
  verification_failed,
  keys_not_fetched,
};
/// The sentence that Envoy answers with; people search for it.
[[nodiscard]] std::string_view text_of(Fault fault) noexcept;

struct Token {
  /// What was signed: header and payload as they were sent.
  std::string signed_text;
  std::string signature;
  std::string algorithm;
  /// Empty when the header names none.
  std::string key_id;
  /// In base64url, as it was sent.
  std::string payload;
  /// An object.
  Claim claims;
  std::string issuer;
  std::string subject;
  std::vector<std::string> audiences;
  std::optional<std::chrono::sys_seconds> not_before;
  std::optional<std::chrono::sys_seconds> expires;
};

/// Reads without believing anything.
[[nodiscard]] std::expected<Token, Fault> parse_token(std::string_view text);

/// None: it is valid now.
[[nodiscard]] std::optional<Fault> check_time(const Token& token, std::chrono::sys_seconds now);

/// Is the token meant for one of `allowed`? Without any, everybody is. As Envoy does, a scheme
/// (http://, https://) and a slash at the end do not count.
[[nodiscard]] bool is_for(const Token& token, const std::vector<std::string>& allowed);

/// Texts under these names become lists, parted at spaces (RFC 8693 section 4.2).
void split_claims(Claim& claims, const std::vector<std::string>& names);

}  // namespace aquifer::jwt
