// Session persistence: what clients bring back, honest or not.
#include "waypoint/upstream/session.h"

#include <doctest/doctest.h>

#include <string>

namespace aquifer::waypoint {
namespace {

using std::chrono::seconds;

constexpr WallSeconds kNow = 1'700'000'000;
constexpr std::uint64_t kEndpoint = 0x0123456789abcdefULL;

l7::Persistence by_cookie() {
  l7::Persistence rules;
  rules.name = "session";
  return rules;
}

l7::RequestView view(const HeaderFields& headers) {
  return {.method = "GET",
          .scheme = "http",
          .authority = "shop",
          .path = "/",
          .headers = headers,
          .source = {},
          .destination = {},
          .identity = nullptr};
}

std::optional<Session> bring_back(const l7::Persistence& rules, std::string_view text,
                                  WallSeconds now) {
  HeaderFields headers;
  if (rules.type == l7::Persistence::Type::header) {
    headers.add(rules.name, text);
  } else {
    headers.add("cookie", rules.name + "=" + std::string(text));
  }
  return find_session(rules, view(headers), now);
}

TEST_CASE("a session comes back as it was given") {
  const Session session{kEndpoint, kNow, kNow + 5};
  CHECK(encode_session(session).size() == 32);
  CHECK(decode_session(encode_session(session)) == session);
  CHECK(bring_back(by_cookie(), encode_session(session), kNow + 6) == session);
  const Session odd{~0ULL, 0, 0xffffffff};
  CHECK(decode_session(encode_session(odd)) == odd);
}

TEST_CASE("what is no session is none") {
  const std::string good = encode_session({kEndpoint, kNow, kNow});
  CHECK_FALSE(decode_session(""));
  CHECK_FALSE(decode_session(good.substr(1)));
  CHECK_FALSE(decode_session(good + "0"));
  CHECK_FALSE(decode_session(std::string(32, 'g')));
  CHECK_FALSE(decode_session(std::string(32, '\0')));
  CHECK_FALSE(decode_session(std::string(1'000'000, '0')));
  // One session has one spelling.
  CHECK_FALSE(decode_session("0123456789ABCDEF" + good.substr(16)));
  CHECK_FALSE(decode_session("+123456789abcdef" + good.substr(16)));
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string changed = good;
      changed[i] = static_cast<char>(byte);
      const auto decoded = decode_session(changed);
      if (decoded) CHECK(encode_session(*decoded) == changed);
    }
  }
}

TEST_CASE("the first answer names the endpoint, later ones only if it changed") {
  const l7::Persistence rules = by_cookie();
  const auto field = session_field(rules, std::nullopt, kEndpoint, kNow);
  REQUIRE(field);
  CHECK(field->name == "set-cookie");
  const Session session{kEndpoint, kNow, kNow};
  CHECK(field->value == "session=" + encode_session(session) + "; HttpOnly");
  CHECK_FALSE(session_field(rules, session, kEndpoint, kNow + 9));
  const auto moved = session_field(rules, session, kEndpoint + 1, kNow + 9);
  REQUIRE(moved);
  CHECK(moved->value.find(encode_session({kEndpoint + 1, kNow + 9, kNow + 9})) !=
        std::string::npos);
}

TEST_CASE("a session by header is answered by the same header") {
  l7::Persistence rules = by_cookie();
  rules.type = l7::Persistence::Type::header;
  rules.name = "x-session";
  const auto field = session_field(rules, std::nullopt, kEndpoint, kNow);
  REQUIRE(field);
  CHECK(field->name == "x-session");
  CHECK(bring_back(rules, field->value, kNow) == Session{kEndpoint, kNow, kNow});
}

TEST_CASE("a session ends after its absolute time, however busy it is") {
  l7::Persistence rules = by_cookie();
  rules.absolute_timeout = seconds(100);
  rules.path = "/cart";
  // A cookie of lifetimeType Session goes with the browser, and the session ends all the same.
  CHECK_FALSE(session_field(rules, std::nullopt, kEndpoint, kNow)->value.contains("Max-Age"));
  CHECK_FALSE(bring_back(rules, encode_session({kEndpoint, kNow, kNow + 99}), kNow + 100));
  rules.permanent_cookie = true;
  const auto field = session_field(rules, std::nullopt, kEndpoint, kNow);
  CHECK(field->value.ends_with("; Path=/cart; Max-Age=100; HttpOnly"));
  const std::string text = encode_session({kEndpoint, kNow, kNow + 99});
  CHECK(bring_back(rules, text, kNow + 99));
  CHECK_FALSE(bring_back(rules, text, kNow + 100));
}

TEST_CASE("a session that idles ends, and one that is used goes on") {
  l7::Persistence rules = by_cookie();
  rules.absolute_timeout = seconds(100);
  rules.idle_timeout = seconds(30);
  rules.permanent_cookie = true;
  Session session{kEndpoint, kNow, kNow};
  CHECK_FALSE(bring_back(rules, encode_session(session), kNow + 30));
  const auto renewed = session_field(rules, session, kEndpoint, kNow + 20);
  REQUIRE(renewed);
  session.seen = kNow + 20;
  CHECK(renewed->value == "session=" + encode_session(session) + "; Max-Age=30; HttpOnly");
  CHECK(bring_back(rules, encode_session(session), kNow + 45));
  // Within one second it is told once.
  CHECK_FALSE(session_field(rules, session, kEndpoint, kNow + 20));
  session.seen = kNow + 80;
  // The end of all is nearer than the end by idling.
  CHECK(session_field(rules, session, kEndpoint, kNow + 90)->value.find("Max-Age=10;") !=
        std::string::npos);
}

TEST_CASE("a session from the future was made up, but clocks of replicas may differ a little") {
  const l7::Persistence rules = by_cookie();
  CHECK(bring_back(rules, encode_session({kEndpoint, kNow + 60, kNow + 60}), kNow));
  CHECK_FALSE(bring_back(rules, encode_session({kEndpoint, kNow + 3600, kNow}), kNow));
  CHECK_FALSE(bring_back(rules, encode_session({kEndpoint, kNow, kNow + 3600}), kNow));
}

TEST_CASE("a name that is no token makes no field") {
  l7::Persistence rules = by_cookie();
  rules.name = "a b\r\nc";
  CHECK_FALSE(session_field(rules, std::nullopt, kEndpoint, kNow));
  rules.type = l7::Persistence::Type::header;
  CHECK_FALSE(session_field(rules, std::nullopt, kEndpoint, kNow));
}

}  // namespace
}  // namespace aquifer::waypoint
