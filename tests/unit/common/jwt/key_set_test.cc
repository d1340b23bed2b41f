// Key sets and signatures: what verifies, and what an attacker may not get away with.
#include "common/jwt/key_set.h"

#include "common/jwt/base64url.h"
#include "tests/unit/common/tls/token_signer.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <array>

namespace aquifer::jwt {
namespace {

using test::TokenSigner;
using Kind = TokenSigner::Kind;

const TokenSigner& rsa() {
  static const TokenSigner kSigner(Kind::rsa);
  return kSigner;
}
const TokenSigner& ec() {
  static const TokenSigner kSigner(Kind::p256);
  return kSigner;
}

KeySet set_of(const std::string& text) {
  auto set = KeySet::parse(text);
  REQUIRE(set);
  return std::move(*set);
}

// What a set of keys says of a token's signature.
std::optional<Fault> judge(const std::string& keys, const std::string& text) {
  const auto token = parse_token(text);
  REQUIRE(token);
  return set_of(keys).verify(*token);
}

constexpr std::string_view kPayload = R"({"iss":"joe","sub":"x"})";

TEST_CASE("RFC 7518: every algorithm verifies what its key signed, and nothing that was changed") {
  struct Row {
    Kind kind;
    std::string_view algorithm;
  };
  constexpr std::array kRows{
      Row{Kind::rsa, "RS256"},     Row{Kind::rsa, "RS384"},    Row{Kind::rsa, "RS512"},
      Row{Kind::rsa, "PS256"},     Row{Kind::rsa, "PS384"},    Row{Kind::rsa, "PS512"},
      Row{Kind::p256, "ES256"},    Row{Kind::p384, "ES384"},   Row{Kind::p521, "ES512"},
      Row{Kind::ed25519, "EdDSA"}, Row{Kind::secret, "HS256"}, Row{Kind::secret, "HS384"},
      Row{Kind::secret, "HS512"}};
  for (const Row& row : kRows) {
    CAPTURE(row.algorithm);
    const TokenSigner other(row.kind == Kind::rsa ? Kind::p256 : row.kind);
    const TokenSigner own(row.kind == Kind::rsa ? Kind::p256 : row.kind);
    const TokenSigner& signer = row.kind == Kind::rsa ? rsa() : own;
    const std::string token = signer.sign(row.algorithm, kPayload);
    CHECK(judge(signer.jwks(), token) == std::nullopt);
    // The same signature under another payload, and one with a bit turned.
    const std::string forged =
        signer.sign(row.algorithm, R"({"iss":"joe","sub":"root"})").substr(0, token.rfind('.')) +
        token.substr(token.rfind('.'));
    if (const auto parsed = parse_token(forged)) {
      CHECK(set_of(signer.jwks()).verify(*parsed) == Fault::verification_failed);
    }
    auto parsed = parse_token(token);
    REQUIRE(parsed);
    parsed->signature[parsed->signature.size() / 2] ^= 1;
    CHECK(set_of(signer.jwks()).verify(*parsed) == Fault::verification_failed);
    if (row.kind != Kind::secret && row.kind != Kind::rsa) {
      CHECK(judge(other.jwks(), token) == Fault::verification_failed);
    }
  }
}

TEST_CASE("RFC 7515 appendix A.1: the token of the document, with its key") {
  const std::string keys =
      R"({"keys":[{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75)"
      R"(aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}]})";
  const std::string token =
      "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
      "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVl"
      "fQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
  CHECK(judge(keys, token) == std::nullopt);
}

TEST_CASE("a token without a signature, or of an algorithm that nobody knows, is not believed") {
  // {"alg":"none"} with an empty signature, and with one.
  const std::string header = encode_base64url(R"({"alg":"none"})");
  const std::string payload = encode_base64url(kPayload);
  CHECK(parse_token(header + "." + payload + ".").error() == Fault::bad_signature);
  CHECK(judge(rsa().jwks(), header + "." + payload + ".AAAA") == Fault::bad_algorithm);
  CHECK(judge(rsa().jwks(), rsa().sign("RS256", R"({"alg":"none"})", kPayload)) ==
        Fault::bad_algorithm);
  CHECK(judge(rsa().jwks(), rsa().sign("RS256", R"({"alg":"RS1"})", kPayload)) ==
        Fault::bad_algorithm);
}

TEST_CASE("a public key is no secret: HS256 made with it is not believed") {
  CHECK(judge(rsa().jwks(), rsa().sign("HS256", kPayload)) == Fault::no_matching_key);
  CHECK(judge(ec().jwks(), ec().sign("HS256", kPayload)) == Fault::no_matching_key);
}

TEST_CASE("kid and alg choose the key, where both sides name them") {
  const std::string with_kid = rsa().sign("RS256", R"({"alg":"RS256","kid":"a"})", kPayload);
  CHECK(judge(rsa().jwks(R"("kid":"a")"), with_kid) == std::nullopt);
  CHECK(judge(rsa().jwks(R"("kid":"b")"), with_kid) == Fault::no_matching_key);
  CHECK(judge(rsa().jwks(), with_kid) == std::nullopt);
  const std::string without = rsa().sign("RS256", kPayload);
  CHECK(judge(rsa().jwks(R"("kid":"b")"), without) == std::nullopt);
  CHECK(judge(rsa().jwks(R"("alg":"RS512")"), without) == Fault::no_matching_key);
  // Two keys of one name: each is tried.
  const TokenSigner other(Kind::p256);
  const std::string both =
      fmt::format(R"({{"keys":[{},{}]}})", other.jwk(R"("kid":"a")"), ec().jwk(R"("kid":"a")"));
  CHECK(judge(both, ec().sign("ES256", R"({"alg":"ES256","kid":"a"})", kPayload)) == std::nullopt);
}

TEST_CASE("ES256 signatures are two numbers of 32 bytes, whatever their value") {
  const std::string keys = ec().jwks();
  auto token = parse_token(ec().sign("ES256", kPayload));
  REQUIRE(token);
  const KeySet set = set_of(keys);
  for (const std::size_t size : {1, 63, 65, 128}) {
    Token changed = *token;
    changed.signature.resize(size);
    CHECK(set.verify(changed) == Fault::verification_failed);
  }
  Token zero = *token;
  zero.signature.assign(64, '\0');
  CHECK(set.verify(zero) == Fault::verification_failed);
}

TEST_CASE("keys of no use are left out with a reason, and the others stay") {
  const TokenSigner small(Kind::rsa_small);
  const std::string text = fmt::format(
      R"({{"keys":[{}, 7, {{"kty":"RSA","n":"!","e":"AQAB"}}, {{"kty":"EC","crv":"P-256","x":"AA",)"
      R"("y":"AA"}}, {{"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"}}, {{"kty":"who"}}, {{}},)"
      R"({{"kty":"oct","k":""}}, {}, {}]}})",
      small.jwk(), ec().jwk(R"("use":"enc")"), ec().jwk(R"("use":"sig")"));
  const KeySet set = set_of(text);
  CHECK(set.size() == 1);
  CHECK(set.left_out().size() == 8);
  CHECK(set.left_out()[0] == "key \"\": an RSA key: not from 2048 to 8192 bits long");
}

TEST_CASE("a point that is not on the curve is no key") {
  std::string off = ec().jwk();
  const std::size_t x = off.find("\"x\":\"") + 5;
  off[x + 3] = off[x + 3] == 'A' ? 'B' : 'A';
  CHECK(set_of(fmt::format(R"({{"keys":[{}]}})", off)).size() == 0);
}

TEST_CASE("what is no key set is refused") {
  for (const char* text :
       {"", "[]", "{}", "nonsense", R"({"keys":{}})", R"({"keys":"a"})", "null"}) {
    CAPTURE(text);
    CHECK_FALSE(KeySet::parse(text));
  }
  CHECK_FALSE(KeySet::parse(std::string(kKeySetBytesMax + 1, ' ')));
  std::string many = R"({"keys":[)";
  for (std::size_t i = 0; i <= kKeysMax; ++i) many += i == 0 ? "{}" : ",{}";
  CHECK(KeySet::parse(many + "]}").error() == "more than 100 keys");
  CHECK(set_of(R"({"keys":[]})").size() == 0);
  CHECK(judge(R"({"keys":[]})", rsa().sign("RS256", kPayload)) == Fault::no_valid_keys);
}

}  // namespace
}  // namespace aquifer::jwt
