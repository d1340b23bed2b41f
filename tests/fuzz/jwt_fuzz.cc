// Tokens and key sets: a token on the first line, a key set behind it. A token that is read says
// exactly what was written, and nothing is believed by a key that did not sign it.
#include "common/base/assert.h"
#include "common/jwt/base64url.h"
#include "common/jwt/key_set.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace {

using namespace aquifer;

// RFC 7515 appendix A.3: the key and all that it ever signed.
constexpr std::string_view kKnownKeys =
    R"({"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
    R"("y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]})";
constexpr std::string_view kKnownText =
    "eyJhbGciOiJFUzI1NiJ9."
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlf"
    "Q";

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const jwt::KeySet kKnown = jwt::KeySet::parse(kKnownKeys).value();
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t line = input.find('\n');
  const std::string_view text = input.substr(0, line);
  const auto keys = jwt::KeySet::parse(line == std::string_view::npos ? std::string_view()
                                                                      : input.substr(line + 1));
  if (keys) AQUIFER_ASSERT(keys->size() + keys->left_out().size() <= jwt::kKeysMax);
  auto token = jwt::parse_token(text);
  if (!token) {
    AQUIFER_ASSERT(!jwt::text_of(token.error()).empty());
    return 0;
  }
  AQUIFER_ASSERT(token->signed_text + "." + jwt::encode_base64url(token->signature) == text);
  AQUIFER_ASSERT(token->signed_text.ends_with("." + token->payload));
  AQUIFER_ASSERT(token->claims.kind == Claim::Kind::object);
  AQUIFER_ASSERT(token->claims.text_of("iss") == token->issuer);
  if (!kKnown.verify(*token)) AQUIFER_ASSERT(token->signed_text == kKnownText);
  if (keys) std::ignore = keys->verify(*token);
  std::ignore = jwt::check_time(*token, std::chrono::sys_seconds(std::chrono::seconds(1)));
  jwt::split_claims(token->claims, {"scope"});
  return 0;
}
