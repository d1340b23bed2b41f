// An issuer of tokens for tests: makes keys, says them as JSON, and signs with them, without any of
// the code that verifies.
#pragma once

#include "common/tls/handles.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace aquifer::test {

class TokenSigner {
 public:
  enum class Kind : std::uint8_t { rsa, rsa_small, p256, p384, p521, ed25519, secret };
  /// A new key of a few milliseconds (RSA: some hundred).
  explicit TokenSigner(Kind kind);

  /// One member of a key set. `more` is put into the object: R"("kid":"a","alg":"RS256")".
  [[nodiscard]] std::string jwk(std::string_view more = "") const;
  /// {"keys":[...]} with this key alone.
  [[nodiscard]] std::string jwks(std::string_view more = "") const;
  /// A whole token over any two texts. `algorithm` decides how it is signed.
  [[nodiscard]] std::string sign(std::string_view algorithm, std::string_view header,
                                 std::string_view payload) const;
  /// With the header {"alg":algorithm}.
  [[nodiscard]] std::string sign(std::string_view algorithm, std::string_view payload) const;

 private:
  [[nodiscard]] std::string signature(std::string_view algorithm, std::string_view text) const;

  Kind kind_;
  tls::KeyPtr key_;
  std::string secret_;
};

}  // namespace aquifer::test
