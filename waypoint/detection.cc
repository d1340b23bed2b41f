#include "waypoint/detection.h"

#include "common/base/header_fields.h"

#include <algorithm>
#include <string_view>

namespace aquifer::waypoint {

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
  const char target = text[space + 1];
  const bool begins_target = target == '/' || target == '*' || (target >= 'a' && target <= 'z') ||
                             (target >= 'A' && target <= 'Z') || (target >= '0' && target <= '9');
  return begins_target ? Spoken::http1 : Spoken::other;
}

}  // namespace aquifer::waypoint
