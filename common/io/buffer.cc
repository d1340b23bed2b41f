#include "common/io/buffer.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>

namespace aquifer::io {
namespace {
constexpr std::size_t kCacheLine = 64;
}  // namespace

Buffer Buffer::allocate(std::size_t size) {
  Buffer buffer;
  const std::size_t capacity = size + kHeadroom;
  AQUIFER_ASSERT(capacity <= UINT32_MAX);
  buffer.base_ = static_cast<std::uint8_t*>(std::malloc(capacity));
  AQUIFER_ASSERT(buffer.base_ != nullptr);
  buffer.capacity_ = static_cast<std::uint32_t>(capacity);
  buffer.begin_ = buffer.end_ = kHeadroom;
  return buffer;
}

Buffer Buffer::copy_of(ByteView bytes) {
  Buffer buffer = allocate(bytes.size());
  if (!bytes.empty()) std::memcpy(buffer.tail().data(), bytes.data(), bytes.size());
  buffer.grow(bytes.size());
  return buffer;
}

Buffer Buffer::portable() && {
  const bool lean = capacity_ / 2 <= size() + kHeadroom;
  return pool_ == nullptr && lean ? std::move(*this) : copy_of(view());
}

void Buffer::release() noexcept {
  if (base_ == nullptr) return;
  if (pool_ != nullptr) {
    pool_->give_back(slot_);
  } else {
    std::free(base_);
  }
  base_ = nullptr;
  pool_ = nullptr;
  capacity_ = begin_ = end_ = 0;
}

BufferPool::BufferPool(std::size_t payload_bytes, std::uint32_t count)
    : payload_bytes_(payload_bytes),
      // Every payload starts on a cache line.
      stride_((payload_bytes + Buffer::kHeadroom + kCacheLine - 1) / kCacheLine * kCacheLine),
      count_(count) {
  void* mapping =
      ::mmap(nullptr, stride_ * count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  AQUIFER_ASSERT(mapping != MAP_FAILED);
  mapping_ = static_cast<std::uint8_t*>(mapping);
  free_.reserve(count);
  for (std::uint32_t slot = count; slot > 0; --slot) free_.push_back(slot - 1);
}

BufferPool::~BufferPool() {
  AQUIFER_ASSERT(leased_ == 0);
  ::munmap(mapping_, stride_ * count_);
}

void BufferPool::set_owner(FreeHook hook, void* context) noexcept {
  AQUIFER_ASSERT(leased_ == 0);
  owner_hook_ = hook;
  owner_context_ = context;
  free_.clear();
}

MutableBytes BufferPool::payload(std::uint32_t slot) noexcept {
  return {mapping_ + stride_ * slot + Buffer::kHeadroom, payload_bytes_};
}

Buffer BufferPool::take() {
  AQUIFER_DEBUG_ASSERT(owner_hook_ == nullptr);
  if (free_.empty()) return Buffer::allocate(payload_bytes_);
  // Last in, first out: the warmest block, and an idle pool touches few pages.
  const std::uint32_t slot = free_.back();
  free_.pop_back();
  return lease(slot, 0);
}

Buffer BufferPool::lease(std::uint32_t slot, std::size_t bytes) noexcept {
  AQUIFER_ASSERT(slot < count_ && bytes <= payload_bytes_);
  ++leased_;
  touched_ = true;
  Buffer buffer;
  buffer.base_ = mapping_ + stride_ * slot;
  buffer.pool_ = this;
  buffer.capacity_ = static_cast<std::uint32_t>(Buffer::kHeadroom + payload_bytes_);
  buffer.begin_ = Buffer::kHeadroom;
  buffer.end_ = static_cast<std::uint32_t>(Buffer::kHeadroom + bytes);
  buffer.slot_ = slot;
  return buffer;
}

void BufferPool::give_back(std::uint32_t slot) noexcept {
  AQUIFER_DEBUG_ASSERT(leased_ > 0);
  --leased_;
  if (owner_hook_ != nullptr) {
    owner_hook_(owner_context_, slot);
  } else {
    free_.push_back(slot);
  }
}

bool BufferPool::trim() noexcept {
  // Free blocks hold nothing anybody reads, even while the kernel owns them: dropping their pages
  // is safe.
  if (leased_ > 0 || !touched_) return false;
  ::madvise(mapping_, stride_ * count_, MADV_DONTNEED);
  touched_ = false;
  return true;
}

}  // namespace aquifer::io
