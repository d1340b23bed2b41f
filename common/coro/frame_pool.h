// Memory for coroutine frames: free lists by size, one set per thread, so that a call of a child
// task costs about 10 ns instead of a malloc. Frames are freed on the thread that made them (a task
// never changes threads).
#pragma once

#include <cstddef>

namespace aquifer::coro {

/// Returns a block of at least `bytes`, aligned as operator new does (16): a coroutine has no
/// over-aligned local. Never fails (aborts when memory is gone).
[[nodiscard]] void* frame_allocate(std::size_t bytes);
/// `bytes` must be what was asked for.
void frame_free(void* block, std::size_t bytes) noexcept;

/// Bytes of live frames of this thread: what tests of promised sizes look at.
[[nodiscard]] std::size_t frame_bytes_live() noexcept;
/// Gives the free lists of this thread back to the allocator (called when a loop has been idle).
void frame_pool_trim() noexcept;

}  // namespace aquifer::coro
