#include "common/io/socket_stream.h"

#include "tests/unit/common/io/io_fixture.h"

namespace aquifer::io {
namespace {

coro::Task<void> write_all(SocketStream& stream, ByteView bytes) {
  while (!bytes.empty()) {
    const auto allowance = co_await stream.writable(nullptr);
    REQUIRE(allowance.has_value());
    const ByteView piece = bytes.first(std::min(*allowance, bytes.size()));
    REQUIRE(stream.write(Buffer::copy_of(piece)).has_value());
    bytes = bytes.subspan(piece.size());
  }
  const auto flushed = co_await stream.writable(nullptr);
  REQUIRE(flushed.has_value());
  REQUIRE(stream.unsent().empty());
  REQUIRE(stream.shutdown_write().has_value());
}

coro::Task<Digest> read_all(SocketStream& stream, std::size_t bytes_max) {
  Digest digest;
  for (;;) {
    const auto chunk = co_await stream.read(bytes_max, nullptr);
    REQUIRE(chunk.has_value());
    REQUIRE(chunk->size() <= bytes_max);
    if (chunk->empty()) co_return digest;
    digest.add(chunk->view());
  }
}

coro::Task<void> through(Loop& loop, std::size_t bytes_max) {
  FdPair pair = tcp_pair();
  SocketStream left(loop, std::move(pair.left));
  SocketStream right(loop, std::move(pair.right));
  std::vector<std::uint8_t> bytes(6'000'000);
  ByteSource(21).fill(bytes);
  Digest sent;
  sent.add(bytes);
  coro::Scope scope;
  scope.spawn(write_all(left, bytes));
  const Digest got = co_await read_all(right, bytes_max);
  co_await scope.join();
  CHECK(got == sent);
}

ON_BOTH_BACKENDS(
    "a stream carries every byte once, also those that the kernel did not take at once") {
  run_on<B>(through, SIZE_MAX);
  run_on<B>(through, std::size_t{1000});
}

coro::Task<void> put_back_and_read_again(Loop& loop) {
  FdPair pair = tcp_pair();
  SocketStream stream(loop, std::move(pair.left));
  Socket peer(loop, std::move(pair.right));
  const std::vector<std::uint8_t> head = {1, 2, 3, 4, 5, 6, 7};
  const std::vector<std::uint8_t> tail = {8, 9};
  REQUIRE(peer.try_send(head).value() == head.size());
  auto looked_at = co_await stream.socket().recv();
  REQUIRE(looked_at.has_value());
  stream.put_back(Buffer::copy_of(looked_at->view()));
  REQUIRE(peer.try_send(tail).value() == tail.size());
  std::vector<std::uint8_t> got;
  while (got.size() < 9) {
    const auto part = co_await stream.read(3, nullptr);
    REQUIRE(part.has_value());
    REQUIRE_FALSE(part->empty());
    CHECK(part->size() <= 3);
    got.insert(got.end(), part->view().begin(), part->view().end());
  }
  CHECK(got == std::vector<std::uint8_t>{1, 2, 3, 4, 5, 6, 7, 8, 9});
}

ON_BOTH_BACKENDS("bytes that were put back are read again, once, before those that came later") {
  run_on<B>(put_back_and_read_again);
}

coro::Task<void> full_and_ended_by_the_peer(Loop& loop) {
  FdPair pair = tcp_pair();
  Socket full(loop, std::move(pair.left));
  Socket peer(loop, std::move(pair.right));
  const std::vector<std::uint8_t> block(1024 * 1024);
  while (full.try_send(block).value() > 0) {
  }
  REQUIRE(peer.shutdown_write().has_value());
  const auto ended = co_await full.recv(UINT32_MAX, loop.after(kSoon));
  REQUIRE(ended.has_value());
  REQUIRE(ended->empty());
  // Nothing was read at the other end, so there is no room: a wait that says otherwise makes its
  // caller spin.
  const Status room = co_await full.writable(loop.after(std::chrono::milliseconds(50)));
  REQUIRE_FALSE(room.has_value());
  CHECK(room.error().code == Errc::timed_out);
}

ON_BOTH_BACKENDS("a wait for room to write is not woken by the peer's end of its own side") {
  run_on<B>(full_and_ended_by_the_peer);
}

coro::Task<void> stalled_peer(Loop& loop) {
  FdPair pair = tcp_pair();
  SocketStream stream(loop, std::move(pair.left));
  SocketStream source(loop, std::move(pair.right));
  // Fill the kernel's buffers, then write a leased buffer that does not fit.
  const std::vector<std::uint8_t> block(1024 * 1024);
  while (stream.socket().try_send(block).value() > 0) {
  }
  FdPair other = unix_pair();
  Socket lessor(loop, std::move(other.left));
  Socket lessee(loop, std::move(other.right));
  REQUIRE(lessor.try_send(as_bytes("leased")).value() == 6);
  auto leased = co_await lessee.recv(UINT32_MAX, loop.after(kSoon));
  REQUIRE(leased.has_value());
  CHECK(loop.backend().buffers_leased() == 1);
  REQUIRE(stream.write(std::move(*leased)).has_value());
  CHECK(stream.unsent().size() == 6);
  CHECK(loop.backend().buffers_leased() == 0);
  // What is taken later must not overtake what waits.
  CHECK(stream.deliver(as_bytes("later")) == 0);
}

ON_BOTH_BACKENDS("what a stalled peer does not take is kept outside the pool, in its order") {
  run_on<B>(stalled_peer);
}

coro::Task<void> watch(SocketStream& stream, coro::CancelSource& cancel, Error& failure,
                       int& told) {
  failure = co_await stream.failure(&cancel);
  ++told;
}

coro::Task<void> late_reset(Loop& loop) {
  FdPair pair = tcp_pair();
  SocketStream stream(loop, std::move(pair.left));
  auto peer = std::make_unique<SocketStream>(loop, std::move(pair.right));
  REQUIRE(peer->shutdown_write().has_value());
  const auto end = co_await stream.read(SIZE_MAX, nullptr);
  REQUIRE(end.value().empty());
  coro::Scope scope;
  coro::CancelSource cancel;
  Error failure(Errc::internal);
  int told = 0;
  scope.spawn(watch(stream, cancel, failure, told));
  // The other direction goes on meanwhile.
  for (int i = 0; i < 5; ++i) {
    REQUIRE(stream.write(Buffer::copy_of(as_bytes("answer"))).has_value());
    co_await yield();
  }
  CHECK(told == 0);
  peer->abort();
  peer.reset();
  co_await scope.join();
  CHECK(told == 1);
  CHECK(failure.code == Errc::connection_reset);
}

ON_BOTH_BACKENDS("after a stream's end its reset is still told, its end alone is not") {
  run_on<B>(late_reset);
}

coro::Task<void> stop_watching(Loop& loop) {
  FdPair pair = tcp_pair();
  SocketStream stream(loop, std::move(pair.left));
  SocketStream peer(loop, std::move(pair.right));
  for (int i = 0; i < 100; ++i) {
    coro::Scope scope;
    coro::CancelSource cancel;
    Error failure(Errc::internal);
    int told = 0;
    scope.spawn(watch(stream, cancel, failure, told));
    for (int k = 0; k < i % 3; ++k) co_await yield();
    cancel.cancel();
    co_await scope.join();
    REQUIRE(failure.code == Errc::cancelled);
  }
}

ON_BOTH_BACKENDS("a watch for a failure ends when asked to, and leaves nothing behind") {
  run_on<B>(stop_watching);
}

}  // namespace
}  // namespace aquifer::io
