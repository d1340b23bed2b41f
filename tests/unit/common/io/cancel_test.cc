#include "tests/unit/common/io/io_fixture.h"

#include <poll.h>

namespace aquifer::io {
namespace {

using std::chrono::milliseconds;

coro::Task<void> receive_one(Socket& socket, Deadline deadline, coro::CancelSource& cancel,
                             Result<Buffer>& result, int& completions) {
  result = co_await socket.recv(UINT32_MAX, deadline, &cancel);
  ++completions;
}

// Each round sends one numbered byte and asks for the end, in either order and with either a round
// of the loop between them or not.
coro::Task<void> race_with_data(Loop& loop, int rounds, int& with_data, int& cancelled) {
  FdPair pair = unix_pair();
  Socket reader(loop, std::move(pair.left));
  Socket writer(loop, std::move(pair.right));
  for (int i = 0; i < rounds; ++i) {
    const auto mark = static_cast<std::uint8_t>(i);
    coro::CancelSource cancel;
    coro::Scope scope;
    Result<Buffer> result = fail(Errc::internal);
    int completions = 0;
    scope.spawn(receive_one(reader, loop.after(kSoon), cancel, result, completions));
    if (i % 2 == 0) co_await yield();
    if (i % 3 == 0) cancel.cancel();
    if (i % 5 == 0) co_await yield();
    REQUIRE(writer.try_send(ByteView(&mark, 1)).value() == 1);
    if (i % 7 == 0) co_await yield();
    cancel.cancel();
    co_await scope.join();
    REQUIRE(completions == 1);
    if (!result) {
      REQUIRE(result.error().code == Errc::cancelled);
      ++cancelled;
      // Not delivered, so still in the socket.
      result = co_await reader.recv(UINT32_MAX, loop.after(kSoon));
    } else {
      ++with_data;
    }
    REQUIRE(result.value().size() == 1);
    REQUIRE(result->view()[0] == mark);
  }
}

ON_BOTH_BACKENDS("a recv cancelled after data arrived gives the data or cancelled, never both") {
  int with_data = 0;
  int cancelled = 0;
  run_on<B>(race_with_data, 2000, with_data, cancelled);
  // The race was one: both outcomes were seen.
  CHECK(cancelled > 100);
  CHECK(with_data > 100);
}

coro::Task<void> cancelled_before(Loop& loop) {
  FdPair pair = unix_pair();
  Socket socket(loop, std::move(pair.left));
  coro::CancelSource cancel;
  cancel.cancel();
  const auto result = co_await socket.recv(UINT32_MAX, {}, &cancel);
  CHECK(result.error().code == Errc::cancelled);
  const Status room = co_await socket.writable({}, &cancel);
  CHECK(room.error().code == Errc::cancelled);
}

ON_BOTH_BACKENDS("an operation with a cancelled source completes without being started") {
  run_on<B>(cancelled_before);
}

coro::Task<void> deadline_passes(Loop& loop) {
  FdPair pair = unix_pair();
  Socket socket(loop, std::move(pair.left));
  const auto start = Clock::now();
  const auto result = co_await socket.recv(UINT32_MAX, loop.after(milliseconds(30)));
  const auto took = Clock::now() - start;
  CHECK(result.error().code == Errc::timed_out);
  CHECK(took >= milliseconds(29));
  CHECK(took < kSoon);
  // The socket is none the worse for it.
  Socket peer(loop, std::move(pair.right));
  REQUIRE(peer.try_send(as_bytes("x")).value() == 1);
  const auto later = co_await socket.recv(UINT32_MAX, loop.after(kSoon));
  CHECK(later.value().size() == 1);
}

ON_BOTH_BACKENDS("a recv ends at its deadline, not before, and the next one works") {
  run_on<B>(deadline_passes);
}

// The operation of each round lives at the same address as the one before it: a cancellation meant
// for the old one must not reach the new one.
coro::Task<void> reuse_after_cancel(Loop& loop) {
  FdPair pair = unix_pair();
  Socket socket(loop, std::move(pair.left));
  Socket peer(loop, std::move(pair.right));
  int received = 0;
  for (int i = 0; i < 300; ++i) {
    const bool expect_data = i % 2 != 0;
    if (expect_data) REQUIRE(peer.try_send(as_bytes("y")).value() == 1);
    const Deadline deadline = expect_data ? loop.after(kSoon) : Deadline(loop.now());
    const auto result = co_await socket.recv(UINT32_MAX, deadline);
    if (expect_data) {
      REQUIRE(result.has_value());
      received += static_cast<int>(result->size());
    } else {
      REQUIRE(result.error().code == Errc::timed_out);
    }
  }
  CHECK(received == 150);
}

ON_BOTH_BACKENDS("a cancellation never reaches a later operation at the same address") {
  run_on<B>(reuse_after_cancel);
}

coro::Task<void> wait_for_room(Socket& socket, coro::CancelSource& cancel, Status& result) {
  result = co_await socket.writable(socket.loop().after(kSoon), &cancel);
}

coro::Task<void> both_directions(Loop& loop) {
  FdPair pair = unix_pair();
  Socket socket(loop, std::move(pair.left));
  Socket peer(loop, std::move(pair.right));
  const std::vector<std::uint8_t> block(64 * 1024);
  while (socket.try_send(block).value() > 0) {
  }
  coro::CancelSource cancel_read;
  coro::CancelSource cancel_write;
  coro::Scope scope;
  Result<Buffer> received = fail(Errc::internal);
  Status room = fail(Errc::internal);
  int completions = 0;
  scope.spawn(receive_one(socket, loop.after(kSoon), cancel_read, received, completions));
  scope.spawn(wait_for_room(socket, cancel_write, room));
  co_await yield();
  cancel_write.cancel();
  while (scope.running() > 1) co_await yield();
  CHECK(room.error().code == Errc::cancelled);
  CHECK(completions == 0);
  REQUIRE(peer.try_send(as_bytes("z")).value() == 1);
  co_await scope.join();
  CHECK(received.value().size() == 1);
}

ON_BOTH_BACKENDS("cancelling a writer leaves the reader of the same socket waiting") {
  run_on<B>(both_directions);
}

coro::Task<void> refused(Loop& loop) {
  SocketAddress nobody;
  {
    Listening listening = listen_anywhere();
    nobody = listening.address;
  }
  Socket socket(loop, tcp_socket(AF_INET).value());
  const Status status = co_await socket.connect(nobody, loop.after(kSoon));
  REQUIRE_FALSE(status.has_value());
  CHECK(status.error().code == Errc::connection_refused);
  CHECK(status.error().source == ErrorSource::upstream);
  CHECK(status.error().retry == Retry::yes);
}

ON_BOTH_BACKENDS("a connect to a port where nobody listens is refused, by the upstream") {
  run_on<B>(refused);
}

// A listener whose queue is full answers no more handshakes: a connect that neither succeeds nor
// fails, without leaving the machine.
struct Mute {
  Listening listening = listen_anywhere(0);
  std::vector<Fd> waiting;
  Mute() {
    for (int i = 0; i < 8; ++i) {
      Fd fd = tcp_socket(AF_INET).value();
      const SockaddrStorage to(listening.address);
      (void)::connect(fd.get(), to.get(), to.length);
      waiting.push_back(std::move(fd));
    }
  }
};

coro::Task<void> connect_in_background(Socket& socket, SocketAddress to, Deadline deadline,
                                       coro::CancelSource* cancel, Status& result) {
  result = co_await socket.connect(to, deadline, cancel);
}

coro::Task<void> mute_peer(Loop& loop) {
  const Mute mute;
  {
    Socket socket(loop, tcp_socket(AF_INET).value());
    const Deadline deadline = loop.after(milliseconds(50));
    const Status status = co_await socket.connect(mute.listening.address, deadline);
    REQUIRE_FALSE(status.has_value());
    CHECK(status.error().code == Errc::timed_out);
    CHECK(status.error().source == ErrorSource::upstream);
    CHECK(status.error().retry == Retry::yes);
  }
  Socket socket(loop, tcp_socket(AF_INET).value());
  coro::CancelSource cancel;
  coro::Scope scope;
  Status status;
  scope.spawn(
      connect_in_background(socket, mute.listening.address, loop.after(kSoon), &cancel, status));
  co_await yield();
  CHECK(scope.running() == 1);
  cancel.cancel();
  co_await scope.join();
  REQUIRE_FALSE(status.has_value());
  CHECK(status.error().code == Errc::cancelled);
  CHECK(status.error().source == ErrorSource::internal);
  CHECK(status.error().retry == Retry::no);
}

ON_BOTH_BACKENDS("a connect to a mute peer ends at its deadline or when asked to, and says which") {
  run_on<B>(mute_peer);
}

// With every block leased, io_uring refuses a receive at once; it must still wait, be woken by data
// and be cancelled like any other.
coro::Task<void> without_buffers(Loop& loop) {
  std::vector<FdPair> pairs;
  std::vector<Buffer> held;
  FdPair source = unix_pair();
  Socket reader(loop, std::move(source.left));
  Socket writer(loop, std::move(source.right));
  for (int i = 0; i < 400; ++i) {
    REQUIRE(writer.try_send(as_bytes("?")).value() == 1);
    auto received = co_await reader.recv(UINT32_MAX, loop.after(kSoon));
    REQUIRE(received.has_value());
    held.push_back(std::move(*received));
  }
  coro::Scope scope;
  coro::CancelSource cancel;
  Result<Buffer> result = fail(Errc::internal);
  int completions = 0;
  scope.spawn(receive_one(reader, loop.after(kSoon), cancel, result, completions));
  for (int i = 0; i < 5; ++i) co_await yield();
  CHECK(completions == 0);
  cancel.cancel();
  co_await scope.join();
  CHECK(result.error().code == Errc::cancelled);

  coro::CancelSource unused;
  scope.spawn(receive_one(reader, loop.after(kSoon), unused, result, completions));
  for (int i = 0; i < 5; ++i) co_await yield();
  REQUIRE(writer.try_send(as_bytes("data")).value() == 4);
  co_await scope.join();
  CHECK(as_text(result.value().view()) == "data");

  const auto timed_out = co_await reader.recv(UINT32_MAX, loop.after(milliseconds(10)));
  CHECK(timed_out.error().code == Errc::timed_out);
}

ON_BOTH_BACKENDS("a recv while every buffer is leased waits, is woken and is cancelled as usual") {
  run_on<B>(without_buffers);
}

// Cancelled at the very moment when the kernel refuses it for want of a buffer.
coro::Task<void> cancel_while_refused(Loop& loop) {
  std::vector<Buffer> held;
  FdPair source = unix_pair();
  Socket reader(loop, std::move(source.left));
  Socket writer(loop, std::move(source.right));
  for (int i = 0; i < 300; ++i) {
    REQUIRE(writer.try_send(as_bytes("?")).value() == 1);
    auto received = co_await reader.recv(UINT32_MAX, loop.after(kSoon));
    held.push_back(std::move(received.value()));
  }
  for (int i = 0; i < 50; ++i) {
    coro::Scope scope;
    coro::CancelSource cancel;
    Result<Buffer> result = fail(Errc::internal);
    int completions = 0;
    scope.spawn(receive_one(reader, loop.after(kSoon), cancel, result, completions));
    for (int k = 0; k < i % 4; ++k) co_await yield();
    cancel.cancel();
    co_await scope.join();
    REQUIRE(completions == 1);
    REQUIRE(result.error().code == Errc::cancelled);
    if (i % 10 == 0) held.pop_back();
  }
}

ON_BOTH_BACKENDS("a recv cancelled while it is refused for want of a buffer still ends") {
  run_on<B>(cancel_while_refused);
}

coro::Task<void> cancel_many(Loop& loop) {
  std::vector<std::unique_ptr<Socket>> sockets;
  std::vector<Fd> peers;
  std::vector<Result<Buffer>> results;
  coro::CancelSource cancel;
  coro::Scope scope;
  int completions = 0;
  for (int i = 0; i < 2000; ++i) results.emplace_back(fail(Errc::internal));
  for (int i = 0; i < 2000; ++i) {
    FdPair pair = unix_pair();
    sockets.push_back(std::make_unique<Socket>(loop, std::move(pair.left)));
    peers.push_back(std::move(pair.right));
    scope.spawn(receive_one(*sockets.back(), loop.after(kSoon), cancel,
                            results[static_cast<std::size_t>(i)], completions));
  }
  co_await yield();
  CHECK(completions == 0);
  cancel.cancel();
  co_await scope.join();
  CHECK(completions == 2000);
  for (const auto& result : results) REQUIRE(result.error().code == Errc::cancelled);
}

// More than the submission queue holds, in one round.
ON_BOTH_BACKENDS("two thousand waiting receives are all ended by one cancellation") {
  run_on<B>(cancel_many);
}

}  // namespace
}  // namespace aquifer::io
