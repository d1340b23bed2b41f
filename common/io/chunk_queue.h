// ChunkQueue: bytes waiting to go on, in blocks. Holds no memory while it is empty.
#pragma once

#include "common/base/bytes.h"
#include "common/io/buffer.h"

#include <sys/uio.h>

#include <cstddef>
#include <utility>
#include <vector>

namespace aquifer::io {

/// A FIFO of bytes. Appending may be in place (reserve, then commit) or by copy, or by moving a
/// Buffer in. Unbounded by itself: whoever fills it asks size() first and says why its bound is
/// what it is.
class ChunkQueue {
 public:
  ChunkQueue() noexcept = default;
  ChunkQueue(ChunkQueue&& other) noexcept
      : blocks_(std::move(other.blocks_)), size_(std::exchange(other.size_, 0U)) {}
  ChunkQueue& operator=(ChunkQueue&& other) noexcept {
    blocks_ = std::move(other.blocks_);
    size_ = std::exchange(other.size_, 0U);
    return *this;
  }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

  /// At least `bytes` of contiguous room at the end (a new block of max(bytes, block size) if need
  /// be). Valid until the queue is changed in any other way than by commit().
  [[nodiscard]] MutableBytes reserve(std::size_t bytes);
  /// The first `bytes` of what reserve() returned last are filled.
  void commit(std::size_t bytes) noexcept;
  void append(ByteView bytes);
  void append(Buffer buffer);

  /// The first contiguous piece; empty only if the queue is.
  [[nodiscard]] ByteView front() const noexcept;
  /// Fills `out` with the first pieces; returns how many.
  [[nodiscard]] std::size_t gather(std::span<iovec> out) const noexcept;
  /// Takes at most `bytes_max` from the front as a buffer of its own; a whole block moves without a
  /// copy.
  [[nodiscard]] Buffer take(std::size_t bytes_max);
  void consume(std::size_t bytes) noexcept;
  void clear() noexcept;

 private:
  // A block holds 8 TLS records; smaller requests share it.
  static constexpr std::size_t kBlockBytes = 8 * 16 * 1024 + 2048;
  // The first block of an idle queue is small: most replies are.
  static constexpr std::size_t kFirstBlockBytes = 2048;

  // A vector used as a ring would need its own code; queues are short (a few blocks), so erasing
  // the front is cheap.
  std::vector<Buffer> blocks_;
  std::size_t size_ = 0;
};

}  // namespace aquifer::io
