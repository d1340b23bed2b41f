#include "common/tls/verify_key.h"

#include "common/tls/openssl.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>
#include <vector>

namespace aquifer::tls {
namespace {

using ParamBuilderPtr = Owned<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free>;
using ParamsPtr = Owned<OSSL_PARAM, OSSL_PARAM_free>;
using NumberPtr = Owned<BIGNUM, BN_free>;
using KeyContextPtr = Owned<EVP_PKEY_CTX, EVP_PKEY_CTX_free>;
using DigestContextPtr = Owned<EVP_MD_CTX, EVP_MD_CTX_free>;
using EcSignaturePtr = Owned<ECDSA_SIG, ECDSA_SIG_free>;

constexpr int kRsaBitsMin = 2048;
constexpr int kRsaBitsMax = 8192;
constexpr std::size_t kEd25519Bytes = 32;
// Longer than any signature that is checked here: RSA of 8192 bits.
constexpr std::size_t kSignatureBytesMax = kRsaBitsMax / 8;

struct AlgorithmName {
  std::string_view name;
  SignatureAlgorithm algorithm;
};
constexpr std::array kNames{
    AlgorithmName{"RS256", SignatureAlgorithm::rs256},
    AlgorithmName{"RS384", SignatureAlgorithm::rs384},
    AlgorithmName{"RS512", SignatureAlgorithm::rs512},
    AlgorithmName{"PS256", SignatureAlgorithm::ps256},
    AlgorithmName{"PS384", SignatureAlgorithm::ps384},
    AlgorithmName{"PS512", SignatureAlgorithm::ps512},
    AlgorithmName{"ES256", SignatureAlgorithm::es256},
    AlgorithmName{"ES384", SignatureAlgorithm::es384},
    AlgorithmName{"ES512", SignatureAlgorithm::es512},
    AlgorithmName{"EdDSA", SignatureAlgorithm::eddsa},
    AlgorithmName{"HS256", SignatureAlgorithm::hs256},
    AlgorithmName{"HS384", SignatureAlgorithm::hs384},
    AlgorithmName{"HS512", SignatureAlgorithm::hs512},
};

const EVP_MD* digest_of(SignatureAlgorithm algorithm) {
  switch (algorithm) {
    case SignatureAlgorithm::rs256:
    case SignatureAlgorithm::ps256:
    case SignatureAlgorithm::es256:
    case SignatureAlgorithm::hs256: return EVP_sha256();
    case SignatureAlgorithm::rs384:
    case SignatureAlgorithm::ps384:
    case SignatureAlgorithm::es384:
    case SignatureAlgorithm::hs384: return EVP_sha384();
    case SignatureAlgorithm::rs512:
    case SignatureAlgorithm::ps512:
    case SignatureAlgorithm::es512:
    case SignatureAlgorithm::hs512: return EVP_sha512();
    case SignatureAlgorithm::eddsa: break;
  }
  return nullptr;
}

bool is_pss(SignatureAlgorithm algorithm) {
  return algorithm == SignatureAlgorithm::ps256 || algorithm == SignatureAlgorithm::ps384 ||
         algorithm == SignatureAlgorithm::ps512;
}

struct CurveFacts {
  const char* name;
  std::size_t bytes;  // of a coordinate
};

CurveFacts facts_of(Curve curve) {
  switch (curve) {
    case Curve::p256: return {"P-256", 32};
    case Curve::p384: return {"P-384", 48};
    case Curve::p521: return {"P-521", 66};
  }
  return {"", 0};
}

KeyPtr key_from(const char* type, OSSL_PARAM_BLD* builder) {
  const ParamsPtr params(OSSL_PARAM_BLD_to_param(builder));
  const KeyContextPtr context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  if (params == nullptr || context == nullptr || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()) != 1) {
    ERR_clear_error();
    return nullptr;
  }
  return KeyPtr(key);
}

NumberPtr number(ByteView bytes) {
  return NumberPtr(BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr));
}

// The two numbers of a signature in the form that OpenSSL wants; empty when they are none.
std::vector<std::uint8_t> to_der(ByteView signature, std::size_t half) {
  if (signature.size() != 2 * half) return {};
  const EcSignaturePtr pair(ECDSA_SIG_new());
  NumberPtr r = number(signature.first(half));
  NumberPtr s = number(signature.subspan(half));
  if (pair == nullptr || ECDSA_SIG_set0(pair.get(), r.get(), s.get()) != 1) return {};
  std::ignore = r.release();  // the pair owns them now
  std::ignore = s.release();
  const int size = i2d_ECDSA_SIG(pair.get(), nullptr);
  if (size <= 0) return {};
  std::vector<std::uint8_t> der(static_cast<std::size_t>(size));
  std::uint8_t* at = der.data();
  i2d_ECDSA_SIG(pair.get(), &at);
  return der;
}

bool verify_with(EVP_PKEY* key, SignatureAlgorithm algorithm, std::string_view text,
                 ByteView signature) {
  const DigestContextPtr context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* options = nullptr;  // the context's own
  bool good = context != nullptr && EVP_DigestVerifyInit(context.get(), &options,
                                                         digest_of(algorithm), nullptr, key) == 1;
  if (good && is_pss(algorithm)) {
    // RFC 7518 section 3.5: the salt is as long as the digest.
    good = EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST) == 1;
  }
  const ByteView bytes = as_bytes(text);
  good = good && EVP_DigestVerify(context.get(), signature.data(), signature.size(), bytes.data(),
                                  bytes.size()) == 1;
  ERR_clear_error();
  return good;
}

bool verify_secret(std::string_view secret, SignatureAlgorithm algorithm, std::string_view text,
                   ByteView signature) {
  std::array<std::uint8_t, EVP_MAX_MD_SIZE> expected{};
  unsigned size = 0;
  const ByteView bytes = as_bytes(text);
  if (HMAC(digest_of(algorithm), secret.data(), static_cast<int>(secret.size()), bytes.data(),
           bytes.size(), expected.data(), &size) == nullptr) {
    return false;
  }
  return signature.size() == size && CRYPTO_memcmp(expected.data(), signature.data(), size) == 0;
}

}  // namespace

Result<SignatureAlgorithm> parse_signature_algorithm(std::string_view name) {
  const auto* found = std::ranges::find(kNames, name, &AlgorithmName::name);
  if (found == kNames.end()) return fail(Errc::invalid, "an algorithm of signatures");
  return found->algorithm;
}

Result<VerifyKey> VerifyKey::rsa(ByteView modulus, ByteView exponent) {
  if (modulus.size() > kSignatureBytesMax + 1 || exponent.size() > kSignatureBytesMax) {
    return fail(Errc::invalid, "an RSA key: too long");
  }
  const NumberPtr n = number(modulus);
  const NumberPtr e = number(exponent);
  const int bits = n == nullptr ? 0 : BN_num_bits(n.get());
  if (bits < kRsaBitsMin || bits > kRsaBitsMax) {
    return fail(Errc::invalid, "an RSA key: not from 2048 to 8192 bits long");
  }
  const ParamBuilderPtr builder(OSSL_PARAM_BLD_new());
  if (builder == nullptr || e == nullptr || BN_is_odd(e.get()) == 0 || BN_is_one(e.get()) != 0 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1) {
    return fail(Errc::invalid, "an RSA key: no exponent");
  }
  KeyPtr key = key_from("RSA", builder.get());
  if (key == nullptr) return fail(Errc::invalid, "an RSA key");
  return VerifyKey(Kind::rsa, std::move(key), {});
}

Result<VerifyKey> VerifyKey::elliptic(Curve curve, ByteView x, ByteView y) {
  const CurveFacts facts = facts_of(curve);
  if (x.size() != facts.bytes || y.size() != facts.bytes) {
    return fail(Errc::invalid, "a key of an elliptic curve: coordinates of another length");
  }
  std::vector<std::uint8_t> point{POINT_CONVERSION_UNCOMPRESSED};
  point.insert(point.end(), x.begin(), x.end());
  point.insert(point.end(), y.begin(), y.end());
  const ParamBuilderPtr builder(OSSL_PARAM_BLD_new());
  if (builder == nullptr ||
      OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, facts.name, 0) !=
          1 ||
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                       point.size()) != 1) {
    return fail(Errc::internal, "a key of an elliptic curve");
  }
  KeyPtr key = key_from("EC", builder.get());
  if (key == nullptr) return fail(Errc::invalid, "a key of an elliptic curve: not on the curve");
  constexpr std::array kKinds{Kind::p256, Kind::p384, Kind::p521};
  return VerifyKey(kKinds[static_cast<std::size_t>(curve)], std::move(key), {});
}

Result<VerifyKey> VerifyKey::ed25519(ByteView point) {
  if (point.size() != kEd25519Bytes) return fail(Errc::invalid, "an Ed25519 key: not 32 bytes");
  KeyPtr key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, point.data(), point.size()));
  ERR_clear_error();
  if (key == nullptr) return fail(Errc::invalid, "an Ed25519 key");
  return VerifyKey(Kind::ed25519, std::move(key), {});
}

Result<VerifyKey> VerifyKey::secret(ByteView bytes) {
  if (bytes.empty() || bytes.size() > std::numeric_limits<int>::max()) {
    return fail(Errc::invalid, "a shared secret");
  }
  return VerifyKey(Kind::secret, nullptr, std::string(as_text(bytes)));
}

bool VerifyKey::fits(SignatureAlgorithm algorithm) const noexcept {
  switch (algorithm) {
    case SignatureAlgorithm::rs256:
    case SignatureAlgorithm::rs384:
    case SignatureAlgorithm::rs512:
    case SignatureAlgorithm::ps256:
    case SignatureAlgorithm::ps384:
    case SignatureAlgorithm::ps512: return kind_ == Kind::rsa;
    case SignatureAlgorithm::es256: return kind_ == Kind::p256;
    case SignatureAlgorithm::es384: return kind_ == Kind::p384;
    case SignatureAlgorithm::es512: return kind_ == Kind::p521;
    case SignatureAlgorithm::eddsa: return kind_ == Kind::ed25519;
    case SignatureAlgorithm::hs256:
    case SignatureAlgorithm::hs384:
    case SignatureAlgorithm::hs512: return kind_ == Kind::secret;
  }
  return false;
}

bool VerifyKey::verify(SignatureAlgorithm algorithm, std::string_view text,
                       ByteView signature) const {
  if (!fits(algorithm) || signature.empty() || signature.size() > kSignatureBytesMax) return false;
  switch (kind_) {
    case Kind::rsa:
    case Kind::ed25519: return verify_with(key_.get(), algorithm, text, signature);
    case Kind::secret: return verify_secret(secret_, algorithm, text, signature);
    case Kind::p256:
    case Kind::p384:
    case Kind::p521: break;
  }
  const Curve curve = kind_ == Kind::p256   ? Curve::p256
                      : kind_ == Kind::p384 ? Curve::p384
                                            : Curve::p521;
  const auto der = to_der(signature, facts_of(curve).bytes);
  return !der.empty() && verify_with(key_.get(), algorithm, text, der);
}

}  // namespace aquifer::tls
