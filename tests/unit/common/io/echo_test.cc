#include "common/io/listener.h"
#include "tests/unit/common/io/io_fixture.h"

namespace aquifer::io {
namespace {

coro::Task<void> send_random(Socket& socket, std::uint32_t seed, std::size_t total, Digest& sent) {
  std::mt19937 sizes(seed);
  ByteSource source(seed);
  std::vector<std::uint8_t> bytes;
  while (sent.size() < total) {
    // One byte to 64 KiB, small ones as often as large ones.
    bytes.resize(1 + sizes() % (1U << (sizes() % 17)));
    source.fill(bytes);
    sent.add(bytes);
    const Deadline deadline = socket.loop().after(kSoon);
    const Status status = co_await socket.send_all(bytes, deadline);
    REQUIRE(status.has_value());
  }
  REQUIRE(socket.shutdown_write().has_value());
}

coro::Task<void> receive_random(Socket& socket, std::uint32_t seed, Digest& got) {
  std::mt19937 sizes(seed);
  for (;;) {
    const std::uint32_t most = 1 + static_cast<std::uint32_t>(sizes() % (1U << (sizes() % 19)));
    const auto received = co_await socket.recv(most, socket.loop().after(kSoon));
    REQUIRE(received.has_value());
    REQUIRE(received->size() <= most);
    if (received->empty()) co_return;
    got.add(received->view());
  }
}

coro::Task<void> echo_random(Loop& loop, std::uint32_t seed) {
  FdPair pair = tcp_pair();
  Socket client(loop, std::move(pair.left));
  int served = 0;
  Digest sent;
  Digest got;
  coro::Scope scope;
  scope.spawn(serve_echo(loop, std::move(pair.right), served));
  scope.spawn(send_random(client, seed, 4'000'000, sent));
  scope.spawn(receive_random(client, seed + 1, got));
  co_await scope.join();
  CHECK(served == 1);
  CHECK(got == sent);
}

ON_BOTH_BACKENDS("bytes of any write and read size come back once and in order") {
  for (const std::uint32_t seed : {1U, 2U, 3U}) {
    CAPTURE(seed);
    run_on<B>(echo_random, seed);
  }
}

coro::Task<void> one_request(Loop& loop, SocketAddress address, int& answered) {
  Socket socket(loop, tcp_socket(AF_INET).value());
  const Deadline deadline = loop.after(kSoon);
  const Status connected = co_await socket.connect(address, deadline);
  REQUIRE(connected.has_value());
  const Status sent = co_await send_text(socket, "ping");
  REQUIRE(sent.has_value());
  const auto answer = co_await socket.recv(UINT32_MAX, deadline);
  REQUIRE(answer.has_value());
  if (as_text(answer->view()) == "ping") ++answered;
}

coro::Task<void> accept_loop(Loop& loop, Listener& listener, coro::Scope& scope, int& served) {
  for (;;) {
    auto accepted = co_await listener.accept();
    if (!accepted) {
      CHECK(accepted.error().code == Errc::closed);
      co_return;
    }
    scope.spawn(serve_echo(loop, std::move(*accepted), served));
  }
}

coro::Task<void> thousand_at_once(Loop& loop) {
  Listening listening = listen_anywhere();
  Listener listener(loop, std::move(listening.fd));
  coro::Scope servers;
  coro::Scope clients;
  int served = 0;
  int answered = 0;
  servers.spawn(accept_loop(loop, listener, servers, served));
  for (int i = 0; i < 1000; ++i) clients.spawn(one_request(loop, listening.address, answered));
  co_await clients.join();
  CHECK(answered == 1000);
  co_await listener.stop();
  co_await servers.join();
  CHECK(served == 1000);
  CHECK(listener.pauses() == 0);
}

ON_BOTH_BACKENDS("a thousand connections opened at once are all accepted and answered") {
  run_on<B>(thousand_at_once);
}

coro::Task<void> half_closed(Loop& loop) {
  FdPair pair = tcp_pair();
  Socket left(loop, std::move(pair.left));
  Socket right(loop, std::move(pair.right));
  const Status sent = co_await send_text(left, "last words");
  REQUIRE(sent.has_value());
  REQUIRE(left.shutdown_write().has_value());
  const auto heard = co_await receive_all(right);
  REQUIRE(heard.has_value());
  CHECK(heard->size() == 10);
  // The other direction goes on for as long as it likes.
  coro::Scope scope;
  Digest answer;
  scope.spawn(send_random(right, 9, 500'000, answer));
  const auto got = co_await receive_all(left);
  co_await scope.join();
  CHECK(got.value() == answer);
  const auto end = co_await left.recv(UINT32_MAX, loop.after(kSoon));
  CHECK(end.value().empty());
}

ON_BOTH_BACKENDS("after one side has ended, the other direction still carries everything") {
  run_on<B>(half_closed);
}

coro::Task<void> receive_in_background(Socket& socket, Result<Buffer>& result) {
  result = co_await socket.recv(UINT32_MAX, socket.loop().after(kSoon));
}

coro::Task<void> reset_while_waiting(Loop& loop) {
  FdPair pair = tcp_pair();
  Socket socket(loop, std::move(pair.left));
  Result<Buffer> result = fail(Errc::internal);
  coro::Scope scope;
  scope.spawn(receive_in_background(socket, result));
  co_await yield();
  {
    Socket peer(loop, std::move(pair.right));
    peer.reset_on_close();
  }
  co_await scope.join();
  REQUIRE_FALSE(result.has_value());
  CHECK(result.error().code == Errc::connection_reset);
  const auto again = socket.try_send(as_bytes("anybody?"));
  REQUIRE_FALSE(again.has_value());
  CHECK(again.error().code == Errc::connection_reset);
}

ON_BOTH_BACKENDS("a reset by the peer ends a waiting receive as connection_reset") {
  run_on<B>(reset_while_waiting);
}

coro::Task<void> reset_before_receive(Loop& loop) {
  FdPair pair = tcp_pair();
  Socket socket(loop, std::move(pair.left));
  {
    Socket peer(loop, std::move(pair.right));
    peer.reset_on_close();
  }
  const auto result = co_await socket.recv(UINT32_MAX, loop.after(kSoon));
  REQUIRE_FALSE(result.has_value());
  CHECK(result.error().code == Errc::connection_reset);
}

ON_BOTH_BACKENDS("a reset that came before the receive is told by it") {
  run_on<B>(reset_before_receive);
}

coro::Task<void> reset_while_sending(Loop& loop) {
  FdPair pair = tcp_pair();
  Socket socket(loop, std::move(pair.left));
  const std::vector<std::uint8_t> much(32 * 1024 * 1024);
  coro::Scope scope;
  Status status;
  scope.spawn(
      [](Socket& s, const std::vector<std::uint8_t>& bytes, Status& out) -> coro::Task<void> {
        out = co_await s.send_all(bytes, s.loop().after(kSoon));
      }(socket, much, status));
  co_await yield();
  CHECK(scope.running() == 1);
  {
    Socket peer(loop, std::move(pair.right));
    peer.reset_on_close();
  }
  co_await scope.join();
  REQUIRE_FALSE(status.has_value());
  CHECK(status.error().code == Errc::connection_reset);
}

ON_BOTH_BACKENDS("a sender that waits for room is woken by a reset") {
  run_on<B>(reset_while_sending);
}

coro::Task<void> reset_told_to_the_sender(Loop& loop) {
  FdPair pair = tcp_pair();
  Socket socket(loop, std::move(pair.left));
  {
    Socket peer(loop, std::move(pair.right));
    peer.reset_on_close();
  }
  const auto sent = socket.try_send(as_bytes("too late"));
  REQUIRE_FALSE(sent.has_value());
  CHECK(sent.error().code == Errc::connection_reset);
  const auto received = co_await socket.recv(UINT32_MAX, loop.after(kSoon));
  REQUIRE_FALSE(received.has_value());
  CHECK(received.error().code == Errc::connection_reset);
}

// The kernel tells it once: the second to ask would see the end of a stream that was cut.
ON_BOTH_BACKENDS("a reset that a send was told first is told to the reader as well") {
  run_on<B>(reset_told_to_the_sender);
}

// Edge-triggered epoll reports data and the end in one event, once.
coro::Task<void> data_and_end_together(Loop& loop, std::uint32_t bytes_max) {
  FdPair pair = tcp_pair();
  Socket socket(loop, std::move(pair.left));
  Result<Buffer> first = fail(Errc::internal);
  coro::Scope scope;
  {
    // Registered by a wait that ended before.
    Socket peer(loop, std::move(pair.right));
    scope.spawn(receive_in_background(socket, first));
    co_await yield();
    REQUIRE(peer.try_send(as_bytes("0123456789")).value() == 10);
    co_await scope.join();
    REQUIRE(first.value().size() == 10);
    first = Buffer();
    scope.spawn(receive_in_background(socket, first));
    co_await yield();
    REQUIRE(peer.try_send(as_bytes("0123456789")).value() == 10);
  }
  co_await scope.join();
  REQUIRE(first.value().size() == 10);
  first = Buffer();
  const auto rest = co_await receive_all(socket, bytes_max);
  CHECK(rest.value().size() == 0);
}

ON_BOTH_BACKENDS("an end that arrived together with data is seen after the data") {
  run_on<B>(data_and_end_together, UINT32_MAX);
}

coro::Task<void> small_sips(Loop& loop) {
  FdPair pair = tcp_pair();
  Socket socket(loop, std::move(pair.left));
  Result<Buffer> sip = fail(Errc::internal);
  coro::Scope scope;
  Digest expected;
  Digest got;
  {
    Socket peer(loop, std::move(pair.right));
    scope.spawn([](Socket& s, Digest& digest) -> coro::Task<void> {
      const auto all = co_await receive_all(s, 3);
      if (all) digest = *all;
    }(socket, got));
    co_await yield();
    REQUIRE(peer.try_send(as_bytes("ten bytes!")).value() == 10);
  }
  expected.add(as_bytes("ten bytes!"));
  co_await scope.join();
  CHECK(got == expected);
}

ON_BOTH_BACKENDS("a reader that takes less than what came gets the rest and the end") {
  run_on<B>(small_sips);
}

coro::Task<void> ping(Loop& loop, int rounds) {
  FdPair pair = tcp_pair();
  Socket client(loop, std::move(pair.left));
  int served = 0;
  coro::Scope scope;
  scope.spawn(serve_echo(loop, std::move(pair.right), served));
  for (int i = 0; i < rounds; ++i) {
    const std::string text = "ping " + std::to_string(i);
    const Status sent = co_await send_text(client, text);
    REQUIRE(sent.has_value());
    const auto answer = co_await client.recv(UINT32_MAX, loop.after(kSoon));
    REQUIRE(as_text(answer.value().view()) == text);
  }
  REQUIRE(client.shutdown_write().has_value());
  co_await scope.join();
}

ON_BOTH_BACKENDS("every short message of a long conversation wakes its reader") {
  run_on<B>(ping, 5000);
}

}  // namespace
}  // namespace aquifer::io
