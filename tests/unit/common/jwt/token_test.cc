// Tokens as texts: their parts, their times, whom they are for, and what is no token.
#include "common/jwt/token.h"

#include "common/jwt/base64url.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <string>

namespace aquifer::jwt {
namespace {

std::string token_of(std::string_view header, std::string_view payload,
                     std::string_view signature = "AAAA") {
  return fmt::format("{}.{}.{}", encode_base64url(header), encode_base64url(payload), signature);
}

std::expected<Token, Fault> read(std::string_view payload) {
  return parse_token(token_of(R"({"alg":"RS256"})", payload));
}

std::chrono::sys_seconds at(std::int64_t seconds) {
  return std::chrono::sys_seconds(std::chrono::seconds(seconds));
}

TEST_CASE("base64url is read and written without padding, and in one way only") {
  CHECK(encode_base64url("") == "");
  CHECK(encode_base64url("f") == "Zg");
  CHECK(encode_base64url("fo") == "Zm8");
  CHECK(encode_base64url("foo") == "Zm9v");
  CHECK(encode_base64url("\xfb\xff") == "-_8");
  for (const char* text : {"", "Zg", "Zm8", "Zm9v", "-_8"}) {
    const auto bytes = decode_base64url(text);
    REQUIRE(bytes);
    CHECK(encode_base64url(*bytes) == text);
  }
  // Padding, other alphabets, impossible lengths, and bits that are left over.
  for (const char* text : {"Zg==", "Zm9", "+/8", "Z", "Zh", "Zm 9v", "Zm9v\n", "Z\xc3\xa4"}) {
    CAPTURE(text);
    CHECK_FALSE(decode_base64url(text));
  }
}

TEST_CASE("RFC 7519: a token's parts") {
  const auto token = parse_token(token_of(
      R"({"alg":"ES256","kid":"k1","typ":"JWT"})",
      R"({"iss":"https://i","sub":"s","aud":["a","b"],"exp":10,"nbf":5.5,"n":{"m":[1,"x",true,null]}})"));
  REQUIRE(token);
  CHECK(token->algorithm == "ES256");
  CHECK(token->key_id == "k1");
  CHECK(token->issuer == "https://i");
  CHECK(token->subject == "s");
  CHECK(token->audiences == std::vector<std::string>{"a", "b"});
  CHECK(token->expires == at(10));
  CHECK(token->not_before == at(5));
  const std::vector<std::string> path{"n", "m"};
  const Claim* inner = token->claims.find(path);
  REQUIRE(inner != nullptr);
  REQUIRE(inner->parts.size() == 4);
  CHECK(inner->parts[0].text == "1");
  CHECK(inner->parts[0].kind == Claim::Kind::number);
  CHECK(inner->parts[1].text == "x");
  CHECK(inner->parts[2].text == "true");
  CHECK(inner->parts[3].kind == Claim::Kind::none);
  CHECK(read(R"({"aud":"one"})")->audiences == std::vector<std::string>{"one"});
  CHECK(read("{}")->issuer.empty());
}

TEST_CASE("what is no token is refused with its fault") {
  for (const char* text : {"", "a", "a.b", "a.b.c.d", "....", "opaque-token"}) {
    CAPTURE(text);
    CHECK(parse_token(text).error() == Fault::bad_format);
  }
  CHECK(parse_token(std::string(kTokenBytesMax, 'a') + ".b.c").error() == Fault::bad_format);
  CHECK(parse_token("..").error() == Fault::bad_header);
  CHECK(parse_token("!.!.!").error() == Fault::bad_header);
  const auto header = [](std::string_view text) {
    return parse_token(token_of(text, "{}")).error();
  };
  CHECK(header("[]") == Fault::bad_header);
  CHECK(header("{}") == Fault::bad_algorithm);
  CHECK(header(R"({"alg":7})") == Fault::bad_algorithm);
  CHECK(header(R"({"alg":"RS256","kid":7})") == Fault::bad_header);
  // RFC 7515 section 4.1.11
  CHECK(header(R"({"alg":"RS256","crit":["b64"],"b64":false})") == Fault::bad_header);
  for (const char* payload :
       {"[]", "\"text\"", "{", R"({"iss":7})", R"({"sub":[]})", R"({"aud":7})", R"({"aud":[7]})",
        R"({"exp":"10"})", R"({"exp":-1})", R"({"exp":1e300})", R"({"nbf":true})"}) {
    CAPTURE(payload);
    CHECK(read(payload).error() == Fault::bad_payload);
  }
  CHECK(parse_token(token_of(R"({"alg":"RS256"})", "{}", "!")).error() == Fault::bad_signature);
  CHECK(parse_token(token_of(R"({"alg":"RS256"})", "{}", "")).error() == Fault::bad_signature);
}

TEST_CASE("JSON that nests too deep is refused before it is parsed") {
  const auto nested = [](std::size_t depth) {
    return fmt::format(R"({{"a":{}{}}})", std::string(depth, '['), std::string(depth, ']'));
  };
  CHECK(read(nested(31)));
  CHECK(read(nested(32)).error() == Fault::bad_payload);
  CHECK(read(nested(4000)).error() == Fault::bad_payload);
  // Brackets inside texts are none.
  CHECK(read(fmt::format(R"({{"a":"\"{}"}})", std::string(100, '['))));
}

TEST_CASE("times have a minute of grace on both sides") {
  const auto token = read(R"({"nbf":1000,"exp":2000})");
  REQUIRE(token);
  CHECK(check_time(*token, at(939)) == Fault::not_yet_valid);
  CHECK(check_time(*token, at(940)) == std::nullopt);
  CHECK(check_time(*token, at(2060)) == std::nullopt);
  CHECK(check_time(*token, at(2061)) == Fault::expired);
  CHECK(check_time(*read("{}"), at(1)) == std::nullopt);
}

TEST_CASE("a token is for whom its audiences name, without scheme and last slash") {
  const auto token = read(R"({"aud":["https://shop/","other"]})");
  REQUIRE(token);
  CHECK(is_for(*token, {}));
  CHECK(is_for(*token, {"shop"}));
  CHECK(is_for(*token, {"http://shop"}));
  CHECK(is_for(*token, {"x", "other"}));
  CHECK_FALSE(is_for(*token, {"sho"}));
  CHECK_FALSE(is_for(*read("{}"), {"shop"}));
}

TEST_CASE("claims that are lists in one text become lists") {
  auto token = read(R"({"scope":"read  write ","other":"a b","roles":["x y"]})");
  REQUIRE(token);
  split_claims(token->claims, {"scope", "roles"});
  const Claim* scope = token->claims.member("scope");
  REQUIRE(scope->kind == Claim::Kind::list);
  REQUIRE(scope->parts.size() == 2);
  CHECK(scope->parts[0].text == "read");
  CHECK(scope->parts[1].text == "write");
  CHECK(token->claims.text_of("other") == "a b");
  CHECK(token->claims.member("roles")->parts.size() == 1);
}

}  // namespace
}  // namespace aquifer::jwt
