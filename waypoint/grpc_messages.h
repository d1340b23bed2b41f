// Counts the messages of a gRPC body as its bytes pass (gRPC over HTTP/2, Length-Prefixed-Message):
// a few instructions for each message, and nothing kept of it.
#pragma once

#include "common/base/bytes.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace aquifer::waypoint {

class GrpcMessages {
 public:
  /// The next bytes of the body, cut anywhere.
  void see(ByteView bytes) noexcept {
    std::size_t at = 0;
    while (at < bytes.size()) {
      if (payload_left_ > 0) {
        const std::size_t skipped = std::min<std::size_t>(payload_left_, bytes.size() - at);
        payload_left_ -= static_cast<std::uint32_t>(skipped);
        at += skipped;
        continue;
      }
      // A flag, and four bytes of length, the highest first.
      if (prefix_bytes_ > 0) length_ = length_ << 8 | bytes[at];
      ++at;
      if (++prefix_bytes_ < kPrefixBytes) continue;
      ++count_;
      payload_left_ = length_;
      length_ = 0;
      prefix_bytes_ = 0;
    }
  }
  /// Messages whose prefix has passed.
  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }

 private:
  static constexpr std::uint32_t kPrefixBytes = 5;
  std::uint64_t count_ = 0;
  std::uint32_t payload_left_ = 0;
  std::uint32_t length_ = 0;
  std::uint32_t prefix_bytes_ = 0;
};

}  // namespace aquifer::waypoint
