#include "common/coro/frame_pool.h"

#include "tests/unit/common/coro/drain.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <random>
#include <thread>
#include <utility>
#include <vector>

namespace aquifer::coro {
namespace {

TEST_CASE("blocks of any size are writable to their end, aligned, and counted while they live") {
  std::mt19937 random(99);
  std::vector<std::pair<void*, std::size_t>> live;
  const std::size_t before = frame_bytes_live();
  std::size_t bytes_live = 0;
  for (int i = 0; i < 20'000; ++i) {
    if (live.empty() || random() % 2 == 0) {
      const std::size_t bytes = 1 + random() % 6000;
      void* block = frame_allocate(bytes);
      REQUIRE(reinterpret_cast<std::uintptr_t>(block) % alignof(std::max_align_t) == 0);
      std::memset(block, static_cast<int>(bytes & 0xffU), bytes);
      live.emplace_back(block, bytes);
      bytes_live += bytes;
    } else {
      std::swap(live[random() % live.size()], live.back());
      const auto [block, bytes] = live.back();
      live.pop_back();
      const auto* text = static_cast<const unsigned char*>(block);
      REQUIRE(text[0] == (bytes & 0xffU));
      REQUIRE(text[bytes - 1] == (bytes & 0xffU));
      frame_free(block, bytes);
      bytes_live -= bytes;
    }
    REQUIRE(frame_bytes_live() - before == bytes_live);
    if (i % 5000 == 0) frame_pool_trim();
  }
  for (const auto& [block, bytes] : live) frame_free(block, bytes);
  CHECK(frame_bytes_live() == before);
}

TEST_CASE("each thread counts and keeps its own frames") {
  void* mine = frame_allocate(100);
  const std::size_t here = frame_bytes_live();
  std::size_t there = 1;
  std::thread([&there] {
    void* block = frame_allocate(200);
    frame_free(block, 200);
    there = frame_bytes_live();
  }).join();
  CHECK(there == 0);
  CHECK(frame_bytes_live() == here);
  frame_free(mine, 100);
}

Task<void> pause_twice() {
  co_await Pause();
  co_await Pause();
}

TEST_CASE("every frame of a finished task is given back") {
  Drain drain;
  Scope scope;
  const std::size_t before = frame_bytes_live();
  for (int i = 0; i < 1000; ++i) scope.spawn(pause_twice());
  CHECK(frame_bytes_live() > before);
  drain.run();
  CHECK(frame_bytes_live() == before);
}

// A promise of size: what every spawned task costs beside its own locals. Raising a limit is a
// decision, not a repair.
TEST_CASE("a spawned task that does nothing but wait holds at most 128 bytes of frames") {
  Drain drain;
  Scope scope;
  const std::size_t before = frame_bytes_live();
  scope.spawn(pause_twice());
  const std::size_t held = frame_bytes_live() - before;
  MESSAGE("frames of a spawned waiting task: " << held << " bytes");
#if defined(__OPTIMIZE__)
  CHECK(held <= 128);
#endif
  drain.run();
}

}  // namespace
}  // namespace aquifer::coro
