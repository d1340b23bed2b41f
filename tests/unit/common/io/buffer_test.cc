#include "common/io/buffer.h"

#include "common/io/chunk_queue.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace aquifer::io {
namespace {

TEST_CASE("a buffer is consumed from the front, grown at the end and extended into its headroom") {
  Buffer buffer = Buffer::copy_of(as_bytes("hello world"));
  CHECK(buffer.headroom() == Buffer::kHeadroom);
  buffer.consume(6);
  CHECK(as_text(buffer.view()) == "world");
  const MutableBytes header = buffer.prepend(3);
  std::copy_n("<h>", 3, header.begin());
  CHECK(as_text(buffer.view()) == "<h>world");
  CHECK(buffer.headroom() == Buffer::kHeadroom + 3);
  buffer.consume(buffer.size());
  CHECK(buffer.empty());
  Buffer room = Buffer::allocate(4);
  CHECK(room.tail().size() == 4);
  std::copy_n("abcd", 4, room.tail().begin());
  room.grow(4);
  CHECK(as_text(room.view()) == "abcd");
  CHECK(room.tail().empty());
}

TEST_CASE("moving a buffer leaves an empty one behind, which may be used again") {
  Buffer first = Buffer::copy_of(as_bytes("abc"));
  Buffer second = std::move(first);
  CHECK(first.empty());
  CHECK(first.view().empty());
  CHECK(first.tail().empty());
  CHECK(as_text(second.view()) == "abc");
  first = Buffer::copy_of(as_bytes("new"));
  second = std::move(first);
  CHECK(as_text(second.view()) == "new");
  Buffer& same = second;
  second = std::move(same);
  CHECK(as_text(second.view()) == "new");
}

TEST_CASE("a portable buffer keeps its block unless that is a pool's or mostly empty") {
  Buffer own = Buffer::copy_of(as_bytes("mine"));
  const std::uint8_t* at = own.data();
  Buffer moved = std::move(own).portable();
  CHECK(moved.data() == at);
  CHECK(as_text(moved.view()) == "mine");

  Buffer wide = Buffer::allocate(10'000);
  std::copy_n("few", 3, wide.tail().begin());
  wide.grow(3);
  at = wide.data();
  const Buffer lean = std::move(wide).portable();
  CHECK(lean.data() != at);
  CHECK(as_text(lean.view()) == "few");

  BufferPool pool(1000, 1);
  Buffer leased = pool.take();
  std::copy_n("leased", 6, leased.tail().begin());
  leased.grow(6);
  const Buffer copy = std::move(leased).portable();
  leased.release();
  CHECK(pool.leased() == 0);
  CHECK(as_text(copy.view()) == "leased");
}

TEST_CASE("a pool leases each block once and takes it back from wherever the lease went") {
  BufferPool pool(1000, 4);
  std::vector<Buffer> leases;
  for (int i = 0; i < 4; ++i) leases.push_back(pool.take());
  CHECK(pool.leased() == 4);
  for (std::size_t i = 0; i < leases.size(); ++i) {
    REQUIRE(leases[i].tail().size() == 1000);
    std::fill(leases[i].tail().begin(), leases[i].tail().end(), static_cast<std::uint8_t>(i));
    leases[i].grow(1000);
    std::fill_n(leases[i].prepend(Buffer::kHeadroom).begin(), Buffer::kHeadroom,
                static_cast<std::uint8_t>(i));
  }
  for (std::size_t i = 0; i < leases.size(); ++i) {
    const ByteView view = leases[i].view();
    CHECK(std::all_of(view.begin(), view.end(), [i](std::uint8_t b) { return b == i; }));
  }
  // Nobody waits for a block: the allocator stands in.
  Buffer extra = pool.take();
  CHECK(extra.tail().size() == 1000);
  CHECK(pool.leased() == 4);
  leases.clear();
  CHECK(pool.leased() == 0);
  extra.release();
  CHECK(pool.leased() == 0);
}

TEST_CASE("payloads start on a cache line whatever their size") {
  BufferPool pool(131063, 3);
  std::vector<Buffer> leases;
  for (int i = 0; i < 3; ++i) leases.push_back(pool.take());
  for (const Buffer& lease : leases) {
    CHECK(reinterpret_cast<std::uintptr_t>(lease.data()) % 64 == 0);
  }
}

TEST_CASE("a pool gives its pages back only while nothing is leased") {
  BufferPool pool(4096, 4);
  CHECK_FALSE(pool.trim());  // nothing was touched
  {
    Buffer lease = pool.take();
    lease.tail()[0] = 1;
    CHECK_FALSE(pool.trim());
  }
  CHECK(pool.trim());
  CHECK_FALSE(pool.trim());
  Buffer fresh = pool.take();
  fresh.tail()[0] = 7;
  CHECK(fresh.tail()[0] == 7);
}

std::string gathered(const ChunkQueue& queue) {
  std::vector<iovec> pieces(1000);
  const std::size_t count = queue.gather(pieces);
  std::string text;
  for (std::size_t i = 0; i < count; ++i) {
    REQUIRE(pieces[i].iov_len > 0);
    text.append(static_cast<const char*>(pieces[i].iov_base), pieces[i].iov_len);
  }
  return text;
}

std::string random_text(std::mt19937& random, std::size_t most) {
  std::string text(random() % (most + 1), '\0');
  for (char& c : text) c = static_cast<char>('a' + random() % 26);
  return text;
}

TEST_CASE("any history of a queue leaves the bytes that a string would hold") {
  for (const unsigned seed : {11U, 12U, 13U, 14U}) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    BufferPool pool(3000, 8);
    ChunkQueue queue;
    std::string model;
    for (int step = 0; step < 4000; ++step) {
      CAPTURE(step);
      switch (random() % 9) {
        case 0:
        case 1: {
          const std::string text = random_text(random, 5000);
          queue.append(as_bytes(text));
          model += text;
          break;
        }
        case 2: {
          const std::string text = random_text(random, 300'000);
          const MutableBytes room = queue.reserve(text.size());
          REQUIRE(room.size() >= text.size());
          std::copy(text.begin(), text.end(), room.begin());
          queue.commit(text.size());
          model += text;
          break;
        }
        case 3: {
          const std::string text = random_text(random, 2999);
          Buffer block = pool.take();
          std::copy(text.begin(), text.end(), block.tail().begin());
          block.grow(text.size());
          queue.append(std::move(block));
          model += text;
          break;
        }
        case 4: {
          // Reserved and not used.
          const MutableBytes room = queue.reserve(random() % 200'000);
          if (!room.empty()) room[0] = 'X';
          if (random() % 2 == 0) queue.commit(0);
          break;
        }
        case 5:
        case 6: {
          const std::size_t bytes = model.empty() ? 0 : random() % (model.size() + 1);
          queue.consume(bytes);
          model.erase(0, bytes);
          break;
        }
        case 7: {
          const Buffer piece = queue.take(random() % 10'000);
          REQUIRE(as_text(piece.view()) == model.substr(0, piece.size()));
          model.erase(0, piece.size());
          break;
        }
        default: {
          ChunkQueue other = std::move(queue);
          REQUIRE(queue.empty());
          REQUIRE(queue.front().empty());
          queue = std::move(other);
        }
      }
      REQUIRE(queue.size() == model.size());
      REQUIRE(queue.empty() == model.empty());
      REQUIRE(queue.front().empty() == model.empty());
      if (step % 64 == 0) REQUIRE(gathered(queue) == model);
      if (model.size() > 600'000) {
        queue.clear();
        model.clear();
      }
    }
    queue.clear();
    CHECK(pool.leased() == 0);
  }
}

TEST_CASE("taking gives a whole block without a copy, and at most what was asked for") {
  ChunkQueue queue;
  Buffer block = Buffer::copy_of(as_bytes("abcdef"));
  const std::uint8_t* where = block.data();
  queue.append(std::move(block));
  const Buffer some = queue.take(2);
  CHECK(as_text(some.view()) == "ab");
  const Buffer rest = queue.take(100);
  CHECK(as_text(rest.view()) == "cdef");
  CHECK(rest.data() == where + 2);
  CHECK(queue.take(1).empty());
}

}  // namespace
}  // namespace aquifer::io
