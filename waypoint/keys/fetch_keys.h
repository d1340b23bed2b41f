// One fetch of an issuer's keys by http:// or https://. Blocking: for the fetcher's thread.
#pragma once

#include "common/jwt/key_set.h"

#include <chrono>
#include <cstdint>
#include <expected>
#include <stop_token>
#include <string>
#include <string_view>

namespace aquifer::waypoint {

struct KeyUrl {
  bool secure = false;
  std::string host;
  std::uint16_t port = 0;
  std::string path;  ///< with the query
};
/// Errors: what is wrong with it, for people.
[[nodiscard]] std::expected<KeyUrl, std::string> parse_key_url(std::string_view text);

/// The keys that stand there. Redirections are not followed: keys come from where the policy says,
/// or not at all. Errors: why there are none, for people.
[[nodiscard]] std::expected<jwt::KeySet, std::string> fetch_keys(std::string_view url,
                                                                 std::chrono::milliseconds timeout,
                                                                 std::stop_token stop);

}  // namespace aquifer::waypoint
