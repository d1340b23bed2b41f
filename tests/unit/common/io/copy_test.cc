// Copies between two applications over real sockets: what passes, how ends pass, what is counted.
#include "common/io/copy.h"

#include "common/io/socket_stream.h"
#include "tests/unit/common/io/io_fixture.h"

namespace aquifer::io {
namespace {

struct Counter final : CopyCounter {
  void from_client(std::uint64_t bytes) noexcept override { up += bytes; }
  void to_client(std::uint64_t bytes) noexcept override { down += bytes; }

  std::uint64_t up = 0;
  std::uint64_t down = 0;
};

/// A client and a server application, and the copy between them.
class Proxied {
 public:
  explicit Proxied(Loop& loop) : Proxied(loop, tcp_pair(), tcp_pair()) {}

  coro::Task<void> run() {
    SocketStream near(client.loop(), std::move(near_));
    SocketStream far(client.loop(), std::move(far_));
    Copy copy(near, far, counter);
    end = co_await copy.run(cancel);
  }

  Socket client;
  Socket server;
  coro::CancelSource cancel;
  Counter counter;
  std::optional<CopyEnd> end;

 private:
  Proxied(Loop& loop, FdPair left, FdPair right)
      : client(loop, std::move(left.left)),
        server(loop, std::move(right.right)),
        near_(std::move(left.right)),
        far_(std::move(right.left)) {}
  Fd near_;
  Fd far_;
};

coro::Task<void> send_random(Socket& socket, std::uint32_t seed, std::size_t total, Digest& sent) {
  std::vector<std::uint8_t> bytes(total);
  ByteSource(seed).fill(bytes);
  sent.add(bytes);
  const Status status = co_await socket.send_all(bytes, socket.loop().after(kSoon));
  REQUIRE(status.has_value());
  REQUIRE(socket.shutdown_write().has_value());
}

coro::Task<void> receive(Socket& socket, Digest& got) {
  const auto all = co_await receive_all(socket);
  REQUIRE(all.has_value());
  got = *all;
}

coro::Task<void> half_closes(Loop& loop, bool client_first) {
  Proxied proxied(loop);
  coro::Scope scope;
  scope.spawn(proxied.run());
  Socket& first = client_first ? proxied.client : proxied.server;
  Socket& second = client_first ? proxied.server : proxied.client;
  Digest asked;
  Digest heard;
  Digest answered;
  Digest got;
  co_await send_random(first, 1, 1000, asked);
  co_await receive(second, heard);
  CHECK(heard == asked);
  CHECK_FALSE(proxied.end.has_value());
  coro::Scope answer;
  answer.spawn(send_random(second, 2, 2'000'000, answered));
  answer.spawn(receive(first, got));
  co_await answer.join();
  co_await scope.join();
  CHECK(got == answered);
  CHECK(proxied.end == CopyEnd::complete);
  CHECK(proxied.counter.up == (client_first ? 1000 : 2'000'000));
  CHECK(proxied.counter.down == (client_first ? 2'000'000 : 1000));
}

ON_BOTH_BACKENDS(
    "each half ends by itself, in either order, and bytes are counted by their sender") {
  run_on<B>(half_closes, true);
  run_on<B>(half_closes, false);
}

coro::Task<void> at_once(Loop& loop) {
  Proxied proxied(loop);
  coro::Scope scope;
  Digest up;
  Digest down;
  Digest got_up;
  Digest got_down;
  scope.spawn(proxied.run());
  scope.spawn(send_random(proxied.client, 3, 5'000'000, up));
  scope.spawn(send_random(proxied.server, 4, 5'000'000, down));
  scope.spawn(receive(proxied.client, got_down));
  scope.spawn(receive(proxied.server, got_up));
  co_await scope.join();
  CHECK(got_up == up);
  CHECK(got_down == down);
  CHECK(proxied.end == CopyEnd::complete);
}

ON_BOTH_BACKENDS("both directions carry everything at once, in order") {
  run_on<B>(at_once);
}

coro::Task<void> check_reset(Socket& socket) {
  const auto heard = co_await receive_all(socket);
  REQUIRE_FALSE(heard.has_value());
  CHECK(heard.error().code == Errc::connection_reset);
}

coro::Task<void> reset_passes(Loop& loop, bool by_client, bool after_half_close) {
  Proxied proxied(loop);
  coro::Scope scope;
  scope.spawn(proxied.run());
  Socket& rude = by_client ? proxied.client : proxied.server;
  Socket& told = by_client ? proxied.server : proxied.client;
  if (after_half_close) {
    REQUIRE(rude.shutdown_write().has_value());
    const auto end = co_await told.recv(UINT32_MAX, loop.after(kSoon));
    REQUIRE(end.has_value());
    REQUIRE(end->empty());
  }
  rude.reset_on_close();
  {
    const Fd closed(rude.take_fd());
  }
  if (after_half_close) {
    // Its half has ended: the reset shows where it would read again.
    co_await scope.join();
    const auto sent = told.try_send(as_bytes("anybody?"));
    CHECK_FALSE(sent.has_value());
  } else {
    co_await check_reset(told);
    co_await scope.join();
  }
  CHECK(proxied.end == CopyEnd::reset);
}

ON_BOTH_BACKENDS("a reset by either side is told to the other as a reset, not as an end") {
  run_on<B>(reset_passes, true, false);
  run_on<B>(reset_passes, false, false);
}

ON_BOTH_BACKENDS("a side that ended its half and then resets is told to the other") {
  run_on<B>(reset_passes, true, true);
  run_on<B>(reset_passes, false, true);
}

coro::Task<void> cancelled(Loop& loop, bool before) {
  Proxied proxied(loop);
  coro::Scope scope;
  if (before) proxied.cancel.cancel();
  scope.spawn(proxied.run());
  co_await yield();
  proxied.cancel.cancel();
  co_await scope.join();
  CHECK(proxied.end == CopyEnd::cancelled);
  co_await check_reset(proxied.client);
  co_await check_reset(proxied.server);
}

ON_BOTH_BACKENDS("a copy that is cancelled shows both applications a reset") {
  run_on<B>(cancelled, false);
  run_on<B>(cancelled, true);
}

coro::Task<void> stalled(Loop& loop) {
  Proxied proxied(loop);
  coro::Scope scope;
  Digest up;
  Digest got;
  scope.spawn(proxied.run());
  // More than all sockets hold: the copy waits for the server with one chunk at the most.
  scope.spawn(send_random(proxied.client, 5, 40'000'000, up));
  Digest down;
  Digest heard;
  scope.spawn(send_random(proxied.server, 6, 100'000, down));
  co_await receive(proxied.client, heard);
  CHECK(heard == down);
  CHECK(proxied.counter.up < 40'000'000);
  co_await receive(proxied.server, got);
  co_await scope.join();
  CHECK(got == up);
  CHECK(proxied.end == CopyEnd::complete);
}

ON_BOTH_BACKENDS("a side that does not read holds up its own direction only, and loses nothing") {
  run_on<B>(stalled);
}

}  // namespace
}  // namespace aquifer::io
