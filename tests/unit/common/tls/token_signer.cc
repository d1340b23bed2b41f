#include "tests/unit/common/tls/token_signer.h"

#include "common/base/assert.h"
#include "common/base/bytes.h"
#include "common/tls/openssl.h"

#include <fmt/format.h>

#include <array>
#include <vector>

namespace aquifer::test {
namespace {

using Bytes = std::vector<std::uint8_t>;

std::string base64url(ByteView bytes) {
  std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), bytes.data(),
                                   static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(size));
  while (text.ends_with('=')) text.pop_back();
  for (char& c : text) c = c == '+' ? '-' : c == '/' ? '_' : c;
  return text;
}

tls::KeyPtr make_key(TokenSigner::Kind kind) {
  using Kind = TokenSigner::Kind;
  switch (kind) {
    case Kind::rsa: return tls::KeyPtr(EVP_RSA_gen(2048));
    case Kind::rsa_small: return tls::KeyPtr(EVP_RSA_gen(1024));
    case Kind::p256: return tls::KeyPtr(EVP_EC_gen("P-256"));
    case Kind::p384: return tls::KeyPtr(EVP_EC_gen("P-384"));
    case Kind::p521: return tls::KeyPtr(EVP_EC_gen("P-521"));
    case Kind::ed25519: return tls::KeyPtr(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
    case Kind::secret: break;
  }
  return nullptr;
}

std::size_t half_of(TokenSigner::Kind kind) {
  return kind == TokenSigner::Kind::p256 ? 32 : kind == TokenSigner::Kind::p384 ? 48 : 66;
}

std::string number(EVP_PKEY* key, const char* name, std::size_t size = 0) {
  BIGNUM* value = nullptr;
  AQUIFER_ASSERT(EVP_PKEY_get_bn_param(key, name, &value) == 1);
  Bytes bytes(size != 0 ? size : static_cast<std::size_t>(BN_num_bytes(value)));
  BN_bn2binpad(value, bytes.data(), static_cast<int>(bytes.size()));
  BN_free(value);
  return base64url(bytes);
}

const EVP_MD* digest_of(std::string_view algorithm) {
  if (algorithm.ends_with("256")) return EVP_sha256();
  if (algorithm.ends_with("384")) return EVP_sha384();
  if (algorithm.ends_with("512")) return EVP_sha512();
  return nullptr;
}

}  // namespace

TokenSigner::TokenSigner(Kind kind) : kind_(kind), key_(make_key(kind)) {
  if (kind == Kind::secret) secret_ = "a secret of thirty-two bytes ....";
}

std::string TokenSigner::jwk(std::string_view more) const {
  std::string object;
  switch (kind_) {
    case Kind::rsa:
    case Kind::rsa_small:
      object = fmt::format(R"("kty":"RSA","n":"{}","e":"{}")", number(key_.get(), "n"),
                           number(key_.get(), "e"));
      break;
    case Kind::p256:
    case Kind::p384:
    case Kind::p521: {
      const char* curve = kind_ == Kind::p256 ? "P-256" : kind_ == Kind::p384 ? "P-384" : "P-521";
      object = fmt::format(R"("kty":"EC","crv":"{}","x":"{}","y":"{}")", curve,
                           number(key_.get(), "qx", half_of(kind_)),
                           number(key_.get(), "qy", half_of(kind_)));
      break;
    }
    case Kind::ed25519: {
      std::array<std::uint8_t, 32> point{};
      std::size_t size = point.size();
      EVP_PKEY_get_raw_public_key(key_.get(), point.data(), &size);
      object = fmt::format(R"("kty":"OKP","crv":"Ed25519","x":"{}")", base64url(point));
      break;
    }
    case Kind::secret:
      object = fmt::format(R"("kty":"oct","k":"{}")", base64url(as_bytes(secret_)));
      break;
  }
  return fmt::format("{{{}{}{}}}", object, more.empty() ? "" : ",", more);
}

std::string TokenSigner::jwks(std::string_view more) const {
  return fmt::format(R"({{"keys":[{}]}})", jwk(more));
}

std::string TokenSigner::signature(std::string_view algorithm, std::string_view text) const {
  const ByteView bytes = as_bytes(text);
  Bytes out(1024);
  if (algorithm.starts_with("HS")) {
    // A key of another kind stands in with its numbers: what an attacker would do.
    const std::string secret = kind_ == Kind::secret ? secret_ : jwk();
    unsigned size = 0;
    HMAC(digest_of(algorithm), secret.data(), static_cast<int>(secret.size()), bytes.data(),
         bytes.size(), out.data(), &size);
    out.resize(size);
    return base64url(out);
  }
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  EVP_PKEY_CTX* options = nullptr;
  std::size_t size = out.size();
  AQUIFER_ASSERT(EVP_DigestSignInit(context, &options, digest_of(algorithm), nullptr, key_.get()) ==
                 1);
  if (algorithm.starts_with("PS")) {
    EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING);
    EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST);
  }
  AQUIFER_ASSERT(EVP_DigestSign(context, out.data(), &size, bytes.data(), bytes.size()) == 1);
  EVP_MD_CTX_free(context);
  out.resize(size);
  if (!algorithm.starts_with("ES")) return base64url(out);
  const std::uint8_t* at = out.data();
  ECDSA_SIG* pair = d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(out.size()));
  const int half = static_cast<int>(half_of(kind_));
  Bytes both(2 * half_of(kind_));
  BN_bn2binpad(ECDSA_SIG_get0_r(pair), both.data(), half);
  BN_bn2binpad(ECDSA_SIG_get0_s(pair), both.data() + half, half);
  ECDSA_SIG_free(pair);
  return base64url(both);
}

std::string TokenSigner::sign(std::string_view algorithm, std::string_view header,
                              std::string_view payload) const {
  const std::string text = base64url(as_bytes(header)) + "." + base64url(as_bytes(payload));
  return text + "." + signature(algorithm, text);
}

std::string TokenSigner::sign(std::string_view algorithm, std::string_view payload) const {
  return sign(algorithm, fmt::format(R"({{"alg":"{}"}})", algorithm), payload);
}

}  // namespace aquifer::test
