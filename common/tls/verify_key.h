// Public keys by their numbers, and whether a signature is theirs: what tokens are checked with.
// Immutable; any thread.
#pragma once

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/tls/handles.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace aquifer::tls {

/// RFC 7518 section 3.1 and RFC 8037.
enum class SignatureAlgorithm : std::uint8_t {
  rs256,
  rs384,
  rs512,
  ps256,
  ps384,
  ps512,
  es256,
  es384,
  es512,
  eddsa,
  hs256,
  hs384,
  hs512,
};

/// "RS256"; none for names that nobody knows, and for "none".
[[nodiscard]] Result<SignatureAlgorithm> parse_signature_algorithm(std::string_view name);

enum class Curve : std::uint8_t { p256, p384, p521 };

class VerifyKey {
 public:
  /// Big-endian numbers. Errors: invalid, also for keys below 2048 bits (RFC 7518 section 3.3) and
  /// above 8192, which only cost time.
  [[nodiscard]] static Result<VerifyKey> rsa(ByteView modulus, ByteView exponent);
  /// Coordinates of the curve's full length.
  [[nodiscard]] static Result<VerifyKey> elliptic(Curve curve, ByteView x, ByteView y);
  [[nodiscard]] static Result<VerifyKey> ed25519(ByteView point);
  /// A shared secret. Errors: invalid, when it is empty.
  [[nodiscard]] static Result<VerifyKey> secret(ByteView bytes);

  /// Could this key have made signatures of this algorithm at all?
  [[nodiscard]] bool fits(SignatureAlgorithm algorithm) const noexcept;
  /// False also when it does not fit. Of elliptic curves, the two numbers one after the other
  /// (RFC 7518 section 3.4).
  [[nodiscard]] bool verify(SignatureAlgorithm algorithm, std::string_view text,
                            ByteView signature) const;

 private:
  enum class Kind : std::uint8_t { rsa, p256, p384, p521, ed25519, secret };
  VerifyKey(Kind kind, KeyPtr key, std::string secret_bytes) noexcept
      : kind_(kind), key_(std::move(key)), secret_(std::move(secret_bytes)) {}

  Kind kind_;
  KeyPtr key_;
  std::string secret_;
};

}  // namespace aquifer::tls
