#include "common/io/buffer_sizes.h"
#include "tests/unit/common/io/io_fixture.h"

#include <memory>

namespace aquifer::io {
namespace {

struct Meeting {
  coro::Event all_there;
  int expected = 0;
  int arrived = 0;
};

// Keeps its lease until everybody else has one too: nobody may depend on another's buffer.
coro::Task<void> receive_and_hold(Loop& loop, Fd fd, Meeting& meeting, std::vector<Buffer>& held) {
  Socket socket(loop, std::move(fd));
  auto received = co_await socket.recv(UINT32_MAX, loop.after(kSoon));
  REQUIRE(received.has_value());
  CHECK(received->size() == 5);
  held.push_back(std::move(*received));
  if (++meeting.arrived == meeting.expected) meeting.all_there.notify();
}

coro::Task<void> all_readable_at_once(Loop& loop, int count) {
  std::vector<Fd> peers;
  std::vector<Buffer> held;
  Meeting meeting;
  meeting.expected = count;
  coro::Scope scope;
  for (int i = 0; i < count; ++i) {
    FdPair pair = unix_pair();
    scope.spawn(receive_and_hold(loop, std::move(pair.left), meeting, held));
    peers.push_back(std::move(pair.right));
  }
  co_await yield();
  for (const Fd& peer : peers) REQUIRE(::send(peer.get(), "hello", 5, MSG_NOSIGNAL) == 5);
  const Status met = co_await wait_event(loop, meeting.all_there, loop.after(kSoon));
  CHECK(met.has_value());
  CHECK(loop.backend().buffers_leased() <= kSmallBufferCount);
  co_await scope.join();
  CHECK(held.size() == static_cast<std::size_t>(count));
}

ON_BOTH_BACKENDS("more sockets than buffers, readable in the same round, are all served") {
  run_on<B>(all_readable_at_once, 1000);
  // More than the completion queue of io_uring holds, too.
  run_on<B>(all_readable_at_once, 6000);
}

coro::Task<void> bulk(Loop& loop, Fd fd, Digest& got, std::vector<Buffer>& held) {
  Socket socket(loop, std::move(fd));
  for (;;) {
    auto received = co_await socket.recv(UINT32_MAX, loop.after(kSoon));
    REQUIRE(received.has_value());
    if (received->empty()) co_return;
    got.add(received->view());
    // Half of the leases stay out, so that the large blocks run out as well.
    if (held.size() < 200) held.push_back(std::move(*received));
  }
}

coro::Task<void> feed(Loop& loop, Fd fd, std::uint32_t seed, Digest& sent) {
  Socket socket(loop, std::move(fd));
  std::vector<std::uint8_t> bytes(512 * 1024);
  ByteSource(seed).fill(bytes);
  sent.add(bytes);
  const Status status = co_await socket.send_all(bytes, loop.after(kSoon));
  REQUIRE(status.has_value());
}

coro::Task<void> many_hot(Loop& loop, std::size_t count) {
  std::vector<Digest> sent(count);
  std::vector<Digest> got(count);
  std::vector<Buffer> held;
  coro::Scope scope;
  for (std::size_t i = 0; i < count; ++i) {
    FdPair pair = tcp_pair();
    scope.spawn(bulk(loop, std::move(pair.left), got[i], held));
    scope.spawn(feed(loop, std::move(pair.right), static_cast<std::uint32_t>(i), sent[i]));
  }
  co_await scope.join();
  for (std::size_t i = 0; i < count; ++i) REQUIRE(got[i] == sent[i]);
}

ON_BOTH_BACKENDS("more bulk streams than large buffers all get all their bytes") {
  run_on<B>(many_hot, std::size_t{48});
}

// Two sockets that always have work: each receive completes at once where the backend can do that.
coro::Task<void> spin(Loop& loop, const bool& stop, std::uint64_t& rounds) {
  FdPair pair = unix_pair();
  Socket left(loop, std::move(pair.left));
  Socket right(loop, std::move(pair.right));
  while (!stop) {
    REQUIRE(left.try_send(as_bytes("busy")).value() == 4);
    const auto received = co_await right.recv(UINT32_MAX, loop.after(kSoon));
    REQUIRE(received.has_value());
    ++rounds;
  }
}

coro::Task<void> busy_neighbour(Loop& loop) {
  bool stop = false;
  std::uint64_t rounds = 0;
  coro::Scope scope;
  scope.spawn(spin(loop, stop, rounds));
  // Timers.
  const Status slept = co_await sleep_until(loop, loop.after(std::chrono::milliseconds(5)));
  CHECK(slept.has_value());
  // The mailbox.
  coro::Event posted;
  loop.post([&posted] { posted.notify(); });
  const Status heard = co_await posted.wait();
  CHECK(heard.has_value());
  // Other sockets.
  FdPair pair = tcp_pair();
  Socket socket(loop, std::move(pair.left));
  Socket peer(loop, std::move(pair.right));
  REQUIRE(peer.try_send(as_bytes("me too")).value() == 6);
  const auto received = co_await socket.recv(UINT32_MAX, loop.after(kSoon));
  CHECK(received.has_value());
  stop = true;
  co_await scope.join();
  CHECK(rounds > 0);
}

ON_BOTH_BACKENDS("a connection that never has to wait keeps nobody else waiting") {
  run_on<B>(busy_neighbour);
}

}  // namespace
}  // namespace aquifer::io
