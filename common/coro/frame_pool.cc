#include "common/coro/frame_pool.h"

#include <array>
#include <new>

namespace aquifer::coro {
namespace {

// The allocator's own step and alignment. Blocks aligned to cache lines were measured to cost 106
// bytes each on top of their size, half a KiB for the frames of one idle connection.
constexpr std::size_t kStep = 16;
static_assert(kStep <= __STDCPP_DEFAULT_NEW_ALIGNMENT__);
// Larger frames are rare and live long; malloc serves them.
constexpr std::size_t kPooledMax = 2048;
constexpr std::size_t kClasses = kPooledMax / kStep;
// At most 64 free blocks a class (128 KiB in the largest): a burst of connections must not stay
// resident.
constexpr std::size_t kFreeMax = 64;

struct FreeBlock {
  FreeBlock* next;
};

struct Pool {
  std::array<FreeBlock*, kClasses> free{};
  std::array<std::size_t, kClasses> count{};
  std::size_t live_bytes = 0;
  ~Pool() { trim(); }
  void trim() noexcept {
    for (std::size_t i = 0; i < kClasses; ++i) {
      while (FreeBlock* block = free[i]) {
        free[i] = block->next;
        ::operator delete(block);
      }
      count[i] = 0;
    }
  }
};

Pool& pool() noexcept {
  thread_local Pool instance;
  return instance;
}

std::size_t class_of(std::size_t bytes) noexcept {
  return (bytes + kStep - 1) / kStep - 1;
}

// Sanitizers find use-after-free of a frame only if it really goes back to the allocator.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool kPooling = false;
#else
constexpr bool kPooling = true;
#endif
#else
constexpr bool kPooling = true;
#endif

}  // namespace

void* frame_allocate(std::size_t bytes) {
  Pool& p = pool();
  p.live_bytes += bytes;
  const std::size_t index = class_of(bytes);
  if (!kPooling || index >= kClasses) return ::operator new(bytes);
  if (FreeBlock* block = p.free[index]) {
    p.free[index] = block->next;
    --p.count[index];
    return block;
  }
  return ::operator new((index + 1) * kStep);
}

void frame_free(void* block, std::size_t bytes) noexcept {
  Pool& p = pool();
  p.live_bytes -= bytes;
  const std::size_t index = class_of(bytes);
  if (!kPooling || index >= kClasses || p.count[index] >= kFreeMax) {
    ::operator delete(block);
    return;
  }
  auto* free_block = static_cast<FreeBlock*>(block);
  free_block->next = p.free[index];
  p.free[index] = free_block;
  ++p.count[index];
}

std::size_t frame_bytes_live() noexcept {
  return pool().live_bytes;
}
void frame_pool_trim() noexcept {
  pool().trim();
}

}  // namespace aquifer::coro
