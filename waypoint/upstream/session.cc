#include "waypoint/upstream/session.h"

#include "waypoint/upstream/cookies.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstddef>

namespace aquifer::waypoint {
namespace {

constexpr std::size_t kEndpointDigits = 16;
constexpr std::size_t kTimeDigits = 8;  // enough until the year 2106
constexpr std::size_t kDigits = kEndpointDigits + 2 * kTimeDigits;
// Clocks of replicas differ; a session from farther ahead was made up.
constexpr WallSeconds kSkew = 300;

// -1 for anything but the digits that encode_session() writes: one session has one spelling.
int digit_of(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

std::optional<std::uint64_t> take_digits(std::string_view& text, std::size_t count) noexcept {
  std::uint64_t number = 0;
  for (const char c : text.substr(0, count)) {
    const int digit = digit_of(c);
    if (digit < 0) return std::nullopt;
    number = number << 4U | static_cast<std::uint64_t>(digit);
  }
  text.remove_prefix(count);
  return number;
}

bool is_over(const l7::Persistence& rules, const Session& session, WallSeconds now) noexcept {
  if (session.began > now + kSkew || session.seen > now + kSkew) return true;
  if (rules.absolute_timeout && now - session.began >= rules.absolute_timeout->count()) return true;
  return rules.idle_timeout && now - session.seen >= rules.idle_timeout->count();
}

// The sooner of the two ends, for a cookie that outlives the browser; none: it does not. Either way
// the session itself ends when the rules say so.
std::optional<std::chrono::seconds> life_left(const l7::Persistence& rules, const Session& session,
                                              WallSeconds now) {
  std::optional<std::chrono::seconds> life;
  if (!rules.permanent_cookie) return life;
  if (rules.absolute_timeout)
    life = *rules.absolute_timeout - std::chrono::seconds(now - session.began);
  if (rules.idle_timeout) life = std::min(life.value_or(*rules.idle_timeout), *rules.idle_timeout);
  return life;
}

}  // namespace

std::string encode_session(const Session& session) {
  return fmt::format("{:016x}{:08x}{:08x}", session.endpoint,
                     static_cast<std::uint32_t>(session.began),
                     static_cast<std::uint32_t>(session.seen));
}

std::optional<Session> decode_session(std::string_view text) noexcept {
  if (text.size() != kDigits) return std::nullopt;
  const auto endpoint = take_digits(text, kEndpointDigits);
  if (!endpoint) return std::nullopt;
  const auto began = take_digits(text, kTimeDigits);
  if (!began) return std::nullopt;
  const auto seen = take_digits(text, kTimeDigits);
  if (!seen) return std::nullopt;
  return Session{*endpoint, static_cast<WallSeconds>(*began), static_cast<WallSeconds>(*seen)};
}

std::optional<Session> find_session(const l7::Persistence& rules, const l7::RequestView& request,
                                    WallSeconds now) {
  const bool by_cookie = rules.type == l7::Persistence::Type::cookie;
  const auto text =
      by_cookie ? find_cookie(request.headers, rules.name) : request.headers.find(rules.name);
  if (!text) return std::nullopt;
  const auto session = decode_session(*text);
  return session && !is_over(rules, *session, now) ? session : std::nullopt;
}

std::optional<SessionField> session_field(const l7::Persistence& rules,
                                          const std::optional<Session>& had, std::uint64_t endpoint,
                                          WallSeconds now) {
  const bool same = had && had->endpoint == endpoint;
  // A session that ends by idling is told anew with every second in which it is used.
  if (same && (!rules.idle_timeout || had->seen >= now)) return std::nullopt;
  const Session session{endpoint, same ? had->began : now, now};
  if (rules.type == l7::Persistence::Type::header) {
    if (!is_token(rules.name)) return std::nullopt;
    return SessionField{rules.name, encode_session(session)};
  }
  std::string cookie = set_cookie_value({.name = rules.name,
                                         .value = encode_session(session),
                                         .path = rules.path,
                                         .life = life_left(rules, session, now)});
  if (cookie.empty()) return std::nullopt;
  return SessionField{"set-cookie", std::move(cookie)};
}

}  // namespace aquifer::waypoint
