// OutBuffer: frames that wait for the connection, in one piece, so that a round of the loop makes
// one write. Holds no memory while it is empty.
#pragma once

#include "common/base/bytes.h"
#include "common/io/buffer.h"

#include <cstddef>

namespace aquifer::http2 {

class OutBuffer {
 public:
  [[nodiscard]] std::size_t size() const noexcept { return buffer_.size(); }
  [[nodiscard]] bool empty() const noexcept { return buffer_.empty(); }

  /// `bytes` more at the end, for the caller to write.
  [[nodiscard]] MutableBytes extend(std::size_t bytes);
  void append(ByteView bytes);
  /// At most `bytes_max` from the front; everything moves without a copy.
  [[nodiscard]] io::Buffer take(std::size_t bytes_max);

 private:
  // The head of a small answer and its body.
  static constexpr std::size_t kLeastBytes = 1024;

  io::Buffer buffer_;
  std::size_t usual_ = kLeastBytes;  // what the last rounds needed
};

}  // namespace aquifer::http2
