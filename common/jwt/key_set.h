// The keys of an issuer (JSON Web Key Set, RFC 7517), and whether a token was signed with one of
// them. Immutable; any thread.
#pragma once

#include "common/jwt/token.h"
#include "common/tls/verify_key.h"

#include <cstddef>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace aquifer::jwt {

/// Sets of real issuers have a few keys and a few KiB.
inline constexpr std::size_t kKeySetBytesMax = std::size_t{1} << 20U;
inline constexpr std::size_t kKeysMax = 100;

class KeySet {
 public:
  /// Keys that are not understood, or not meant for signatures, are left out; a set may be empty.
  /// The error says for people what is wrong with the whole.
  [[nodiscard]] static std::expected<KeySet, std::string> parse(std::string_view text);

  [[nodiscard]] std::size_t size() const noexcept { return keys_.size(); }
  /// What was left out and why, for people.
  [[nodiscard]] const std::vector<std::string>& left_out() const noexcept { return left_out_; }

  /// None: the signature is of one of these keys. Looks at nothing else of the token.
  [[nodiscard]] std::optional<Fault> verify(const Token& token) const;

 private:
  struct Key {
    std::string id;
    std::string algorithm;  // empty: any that fits
    tls::VerifyKey key;
  };
  std::vector<Key> keys_;
  std::vector<std::string> left_out_;
};

using KeySetPtr = std::shared_ptr<const KeySet>;

}  // namespace aquifer::jwt
