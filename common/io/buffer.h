// Buffer: a move-only lease of memory with room in front, and the pool of one loop that most
// buffers come from.
#pragma once

#include "common/base/assert.h"
#include "common/base/bytes.h"
#include "common/base/result.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace aquifer::io {

class BufferPool;

/// Bytes [begin, end) inside a block of `capacity`. Returns the block to where it came from in its
/// destructor, on the thread that owns the pool. An empty buffer stands for the end of a stream
/// where one is read.
class Buffer {
 public:
  /// Room in front of received bytes: an HTTP/2 frame header (9) is written there, so that header
  /// and payload are sealed as one piece without a copy. 64 keeps the payload on a cache line.
  static constexpr std::uint32_t kHeadroom = 64;

  Buffer() noexcept = default;
  Buffer(Buffer&& other) noexcept
      : base_(std::exchange(other.base_, nullptr)),
        pool_(std::exchange(other.pool_, nullptr)),
        capacity_(std::exchange(other.capacity_, 0U)),
        begin_(std::exchange(other.begin_, 0U)),
        end_(std::exchange(other.end_, 0U)),
        slot_(other.slot_) {}
  Buffer& operator=(Buffer&& other) noexcept {
    if (this != &other) {
      release();
      base_ = std::exchange(other.base_, nullptr);
      pool_ = std::exchange(other.pool_, nullptr);
      capacity_ = std::exchange(other.capacity_, 0U);
      begin_ = std::exchange(other.begin_, 0U);
      end_ = std::exchange(other.end_, 0U);
      slot_ = other.slot_;
    }
    return *this;
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { release(); }

  /// A block of its own from the allocator: `size` bytes of room behind the usual headroom.
  [[nodiscard]] static Buffer allocate(std::size_t size);
  /// A block of its own, just large enough, holding a copy of `bytes`.
  [[nodiscard]] static Buffer copy_of(ByteView bytes);

  [[nodiscard]] bool empty() const noexcept { return begin_ == end_; }
  [[nodiscard]] std::size_t size() const noexcept { return end_ - begin_; }
  [[nodiscard]] const std::uint8_t* data() const noexcept { return base_ + begin_; }
  [[nodiscard]] ByteView view() const noexcept { return {base_ + begin_, size()}; }
  /// Unused room behind the bytes.
  [[nodiscard]] MutableBytes tail() noexcept { return {base_ + end_, capacity_ - end_}; }
  [[nodiscard]] std::size_t headroom() const noexcept { return begin_; }

  /// Declares `n` more bytes of tail() as filled.
  void grow(std::size_t n) noexcept {
    AQUIFER_DEBUG_ASSERT(n <= capacity_ - end_);
    end_ += static_cast<std::uint32_t>(n);
  }
  /// Drops `n` bytes from the front.
  void consume(std::size_t n) noexcept {
    AQUIFER_DEBUG_ASSERT(n <= size());
    begin_ += static_cast<std::uint32_t>(n);
  }
  /// Opens `n` bytes of headroom in front and returns them for writing.
  [[nodiscard]] MutableBytes prepend(std::size_t n) noexcept {
    AQUIFER_DEBUG_ASSERT(n <= begin_);
    begin_ -= static_cast<std::uint32_t>(n);
    return {base_ + begin_, n};
  }

  /// The same bytes in a block that any thread may give back: this one if it is the allocator's and
  /// not much larger than they are, else a copy.
  [[nodiscard]] Buffer portable() &&;

  void release() noexcept;

 private:
  friend class BufferPool;
  std::uint8_t* base_ = nullptr;
  BufferPool* pool_ = nullptr;  // null: the block is the allocator's
  std::uint32_t capacity_ = 0;
  std::uint32_t begin_ = 0;
  std::uint32_t end_ = 0;
  std::uint32_t slot_ = 0;
};

/// Equal blocks in one mapping, leased one by one. Belongs to one loop. The kernel may own free
/// blocks (buffer ring of io_uring): `on_free` tells the backend, which then hands the block out by
/// `lease(slot)`; without it a free list does.
class BufferPool {
 public:
  /// Maps `count` blocks of `payload_bytes` plus headroom; nothing is resident before it is
  /// touched.
  BufferPool(std::size_t payload_bytes, std::uint32_t count);
  ~BufferPool();
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  [[nodiscard]] std::size_t payload_bytes() const noexcept { return payload_bytes_; }
  [[nodiscard]] std::uint32_t count() const noexcept { return count_; }
  [[nodiscard]] std::uint32_t leased() const noexcept { return leased_; }

  /// A free block; when all are leased, one from the allocator instead, so that nobody waits. Only
  /// without a backend owner.
  [[nodiscard]] Buffer take();

  /// For a backend that owns the free blocks.
  using FreeHook = void (*)(void* context, std::uint32_t slot);
  void set_owner(FreeHook hook, void* context) noexcept;
  [[nodiscard]] MutableBytes payload(std::uint32_t slot) noexcept;
  /// The kernel filled `bytes` of block `slot`.
  [[nodiscard]] Buffer lease(std::uint32_t slot, std::size_t bytes) noexcept;

  /// Gives the pages of the mapping back to the system if nothing is leased. Returns whether it
  /// did.
  bool trim() noexcept;

 private:
  friend class Buffer;
  void give_back(std::uint32_t slot) noexcept;

  std::size_t payload_bytes_;
  std::size_t stride_;
  std::uint32_t count_;
  std::uint32_t leased_ = 0;
  bool touched_ = false;
  std::uint8_t* mapping_;
  std::vector<std::uint32_t> free_;
  FreeHook owner_hook_ = nullptr;
  void* owner_context_ = nullptr;
};

}  // namespace aquifer::io
