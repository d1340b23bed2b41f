#include "common/jwt/key_set.h"

#include "common/jwt/base64url.h"
#include "common/jwt/json.h"

#include <fmt/format.h>

#include <utility>

namespace aquifer::jwt {
namespace {

using tls::VerifyKey;

// What a message shows of a name from outside.
constexpr std::size_t kShownBytesMax = 60;

std::string text_in(const nlohmann::json& object, const char* name) {
  const auto at = object.find(name);
  return at != object.end() && at->is_string() ? at->get<std::string>() : std::string();
}

Result<std::string> bytes_in(const nlohmann::json& object, const char* name) {
  const std::string text = text_in(object, name);
  if (text.empty()) return fail(Errc::invalid, "a part of the key is missing");
  return decode_base64url(text);
}

Result<VerifyKey> elliptic_key(const nlohmann::json& object) {
  const std::string name = text_in(object, "crv");
  TRY(const std::string x, bytes_in(object, "x"));
  TRY(const std::string y, bytes_in(object, "y"));
  if (name == "P-256") return VerifyKey::elliptic(tls::Curve::p256, as_bytes(x), as_bytes(y));
  if (name == "P-384") return VerifyKey::elliptic(tls::Curve::p384, as_bytes(x), as_bytes(y));
  if (name == "P-521") return VerifyKey::elliptic(tls::Curve::p521, as_bytes(x), as_bytes(y));
  return fail(Errc::invalid, "the curve is not known");
}

// RFC 7518 section 6, RFC 8037 section 2.
Result<VerifyKey> read_key(const nlohmann::json& object) {
  const std::string type = text_in(object, "kty");
  if (type == "RSA") {
    TRY(const std::string n, bytes_in(object, "n"));
    TRY(const std::string e, bytes_in(object, "e"));
    return VerifyKey::rsa(as_bytes(n), as_bytes(e));
  }
  if (type == "EC") return elliptic_key(object);
  if (type == "OKP") {
    if (text_in(object, "crv") != "Ed25519") return fail(Errc::invalid, "the curve is not known");
    TRY(const std::string x, bytes_in(object, "x"));
    return VerifyKey::ed25519(as_bytes(x));
  }
  if (type == "oct") {
    TRY(const std::string k, bytes_in(object, "k"));
    return VerifyKey::secret(as_bytes(k));
  }
  return fail(Errc::invalid, "the type is not known");
}

}  // namespace

std::expected<KeySet, std::string> KeySet::parse(std::string_view text) {
  if (text.size() > kKeySetBytesMax) {
    return std::unexpected(fmt::format("longer than {} bytes", kKeySetBytesMax));
  }
  const auto whole = parse_object(text);
  if (!whole) return std::unexpected("no JSON object");
  const auto keys = whole->find("keys");
  if (keys == whole->end() || !keys->is_array()) return std::unexpected("no list named keys");
  if (keys->size() > kKeysMax) return std::unexpected(fmt::format("more than {} keys", kKeysMax));
  KeySet set;
  for (const auto& object : *keys) {
    if (!object.is_object()) {
      set.left_out_.emplace_back("a key that is no object");
      continue;
    }
    std::string id = text_in(object, "kid");
    const std::string use = text_in(object, "use");
    if (!use.empty() && use != "sig") continue;  // for encryption, not for us
    auto key = read_key(object);
    if (!key) {
      set.left_out_.push_back(
          fmt::format("key \"{}\": {}", id.substr(0, kShownBytesMax), key.error().context));
      continue;
    }
    set.keys_.push_back({std::move(id), text_in(object, "alg"), std::move(*key)});
  }
  return set;
}

std::optional<Fault> KeySet::verify(const Token& token) const {
  const auto algorithm = tls::parse_signature_algorithm(token.algorithm);
  if (!algorithm) return Fault::bad_algorithm;
  if (keys_.empty()) return Fault::no_valid_keys;
  bool any_fits = false;
  for (const Key& key : keys_) {
    if (!token.key_id.empty() && !key.id.empty() && key.id != token.key_id) continue;
    if (!key.algorithm.empty() && key.algorithm != token.algorithm) continue;
    // The key's own type decides, never the token alone: or a public key would do as a secret.
    if (!key.key.fits(*algorithm)) continue;
    any_fits = true;
    if (key.key.verify(*algorithm, token.signed_text, as_bytes(token.signature))) {
      return std::nullopt;
    }
  }
  return any_fits ? Fault::verification_failed : Fault::no_matching_key;
}

}  // namespace aquifer::jwt
