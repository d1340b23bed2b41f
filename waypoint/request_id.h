// x-request-id for requests that come without one: a random UUID (RFC 9562, version 4).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace aquifer::waypoint {

/// `random` gives 64 random bits a call.
template <typename Random>
[[nodiscard]] std::string make_request_id(Random& random) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  const std::array<std::uint64_t, 2> bits{random(), random()};
  std::string text(36, '-');
  std::size_t nibble = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i == 8 || i == 13 || i == 18 || i == 23) continue;
    text[i] = kDigits[(bits[nibble / 16] >> (nibble % 16 * 4)) & 15];
    ++nibble;
  }
  text[14] = '4';
  text[19] = kDigits[8 + (bits[1] >> 62)];
  return text;
}

}  // namespace aquifer::waypoint
