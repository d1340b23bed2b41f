// What a WebSocket's handshake has in HTTP/1.1 and not in HTTP/2 (RFC 6455 section 4.1, RFC 8441
// section 5): a key, which only shows that the server understood.
#pragma once

#include <random>
#include <string>
#include <string_view>

namespace aquifer::waypoint {

/// 16 random bytes in base64.
[[nodiscard]] inline std::string make_websocket_key(std::mt19937_64& random) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  // The 22nd character carries the last two bits of the 128.
  constexpr std::string_view kLast = "AQgw";
  std::string key;
  for (int i = 0; i < 21; ++i) key.push_back(kAlphabet[random() % kAlphabet.size()]);
  key.push_back(kLast[random() % kLast.size()]);
  return key.append("==");
}

}  // namespace aquifer::waypoint
