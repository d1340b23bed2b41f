#include "waypoint/detection.h"

#include "common/base/header_fields.h"

#include <algorithm>
#include <string_view>

namespace aquifer::waypoint {

namespace {

// Other protocols of lines have commands in capitals, too ("SET key value"): only what cannot be a
// word of theirs makes it HTTP.
Spoken what_target(std::string_view method, std::string_view target) noexcept {
  if (target.front() == '/' || target.front() == '*') return Spoken::http1;
  const auto letter_or_digit = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '[';
  };
  if (method == "CONNECT") return letter_or_digit(target.front()) ? Spoken::http1 : Spoken::other;
  for (const std::string_view scheme : {"http://", "https://"}) {
    const std::size_t compared = std::min(target.size(), scheme.size());
    if (!equal_without_case(target.substr(0, compared), scheme.substr(0, compared))) continue;
    return compared == scheme.size() ? Spoken::http1 : Spoken::need_more;
  }
  return Spoken::other;
}

}  // namespace

Spoken what_is_spoken(ByteView first) noexcept {
  constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  constexpr std::uint8_t kHandshakeRecord = 0x16;
  if (first.empty()) return Spoken::need_more;
  if (first[0] == kHandshakeRecord) {
    if (first.size() < 2) return Spoken::need_more;
    return first[1] == 3 ? Spoken::tls : Spoken::other;
  }
  const std::string_view text = as_text(first);
  const std::size_t compared = std::min(text.size(), kPreface.size());
  if (text.substr(0, compared) == kPreface.substr(0, compared))
    return compared == kPreface.size() ? Spoken::http2 : Spoken::need_more;
  // METHOD SP TARGET: a method of capital letters, then what a target may begin with.
  const std::size_t space = text.substr(0, kDetectionBytesMax).find(' ');
  const std::string_view method =
      text.substr(0, std::min({space, text.size(), kDetectionBytesMax}));
  const bool capitals = std::ranges::all_of(
      method, [](char c) { return (c >= 'A' && c <= 'Z') || c == '-' || c == '_'; });
  if (!capitals || method.empty()) return Spoken::other;
  if (space == std::string_view::npos)
    return text.size() >= kDetectionBytesMax ? Spoken::other : Spoken::need_more;
  if (space + 1 >= text.size()) return Spoken::need_more;
  return what_target(method, text.substr(space + 1));
}

}  // namespace aquifer::waypoint
