// FrameWalker: finds the heads of frames in what is received, before nghttp2 reads it. nghttp2
// passes over frames for streams that have ended without a word, and those are to be judged and
// counted too.
#pragma once

#include "common/base/bytes.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace aquifer::http2 {

struct FrameHead {
  std::uint32_t length = 0;
  std::uint8_t type = 0;
  std::uint8_t flags = 0;
  std::int32_t stream = 0;
};

class FrameWalker {
 public:
  /// `preface_bytes` come before the first frame.
  explicit FrameWalker(std::size_t preface_bytes) noexcept : skip_(preface_bytes) {}

  /// Calls `visit(FrameHead)` for each head that `bytes` complete.
  template <typename Visit>
  void walk(ByteView bytes, Visit&& visit) {
    while (!bytes.empty()) {
      const std::size_t skipped = std::min(skip_, bytes.size());
      skip_ -= skipped;
      bytes = bytes.subspan(skipped);
      const std::size_t taken = std::min(kHeadBytes - held_, bytes.size());
      if (taken == 0) return;
      std::memcpy(head_.data() + held_, bytes.data(), taken);
      held_ += taken;
      bytes = bytes.subspan(taken);
      if (held_ < kHeadBytes) return;
      held_ = 0;
      const FrameHead head = decode();
      skip_ = head.length;
      visit(head);
    }
  }

 private:
  static constexpr std::size_t kHeadBytes = 9;
  // RFC 9113 section 4.1
  [[nodiscard]] FrameHead decode() const noexcept {
    const auto at = [this](std::size_t i) { return std::uint32_t{head_[i]}; };
    return {.length = at(0) << 16U | at(1) << 8U | at(2),
            .type = head_[3],
            .flags = head_[4],
            .stream = static_cast<std::int32_t>((at(5) & 0x7fU) << 24U | at(6) << 16U |
                                                at(7) << 8U | at(8))};
  }

  std::size_t skip_;
  std::size_t held_ = 0;
  std::array<std::uint8_t, kHeadBytes> head_{};
};

}  // namespace aquifer::http2
