// Reading a ClientHello off a real socket: whole, in pieces, not at all - and giving it back.
#include "ztunnel/sniff.h"

#include "common/tls/client_hello.h"
#include "tests/unit/common/io/io_fixture.h"
#include "tests/unit/common/tls/client_hello_samples.h"

#include <chrono>
#include <string>
#include <vector>

namespace aquifer::ztunnel {
namespace {

using namespace std::chrono_literals;
using io::Epoll;
using io::run_on;
using io::Uring;
using Bytes = std::vector<std::uint8_t>;
using End = SniffedName::End;

Bytes from_hex(std::string_view hex) {
  Bytes bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(
        static_cast<std::uint8_t>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

struct Ends {
  io::FdPair pair = io::tcp_pair();
  io::SocketStream client;
  io::Socket application;

  explicit Ends(io::Loop& loop)
      : client(loop, std::move(pair.left)), application(loop, std::move(pair.right)) {}

  void send(ByteView bytes) { REQUIRE(application.try_send(bytes).value() == bytes.size()); }
};

coro::Task<void> send_in_pieces(Ends& ends, Bytes bytes, std::size_t piece) {
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    ends.send(ByteView(bytes).subspan(at, std::min(piece, bytes.size() - at)));
    co_await io::yield();
  }
}

/// Everything that the next reader of the stream gets, up to `count` bytes.
coro::Task<Bytes> read_on(io::SocketStream& stream, std::size_t count) {
  Bytes got;
  while (got.size() < count) {
    const auto part = co_await stream.read(count - got.size(), nullptr);
    REQUIRE(part.has_value());
    if (part->empty()) break;
    got.insert(got.end(), part->view().begin(), part->view().end());
  }
  co_return got;
}

coro::Task<void> in_pieces_of(io::Loop& loop, std::size_t piece) {
  Ends ends(loop);
  Bytes bytes = from_hex(tls::test::kGo);
  const std::size_t size = bytes.size();
  coro::Scope scope;
  scope.spawn(send_in_pieces(ends, bytes, piece));
  const SniffedName name = co_await sniff_server_name(ends.client, loop.after(10s), nullptr);
  CHECK(name.end == End::name);
  CHECK(name.name == "go.example.com");
  const Bytes got = co_await read_on(ends.client, size);
  CHECK(got == bytes);
  co_await scope.join();
}

ON_BOTH_BACKENDS("a hello is found whole or in pieces, and the next reader misses nothing of it") {
  for (const std::size_t piece : {2000, 700, 100, 7}) run_on<B>(in_pieces_of, piece);
}

coro::Task<void> with_more_behind_it(io::Loop& loop) {
  Ends ends(loop);
  Bytes bytes = from_hex(tls::test::kOpenssl);
  bytes.resize(bytes.size() + 60'000, 0x17);
  ends.send(bytes);
  const SniffedName name = co_await sniff_server_name(ends.client, loop.after(10s), nullptr);
  CHECK(name.name == "www.example.com");
  const Bytes got = co_await read_on(ends.client, bytes.size());
  CHECK(got == bytes);
}

ON_BOTH_BACKENDS("what a client sends behind its hello is not read ahead without bound, nor lost") {
  run_on<B>(with_more_behind_it);
}

coro::Task<void> other_ends(io::Loop& loop) {
  {
    Ends ends(loop);
    const std::string request = "GET / HTTP/1.1\r\n\r\n";
    const Bytes bytes(request.begin(), request.end());
    ends.send(bytes);
    const SniffedName name = co_await sniff_server_name(ends.client, loop.after(10s), nullptr);
    CHECK(name.end == End::no_name);
    const Bytes got = co_await read_on(ends.client, bytes.size());
    CHECK(got == bytes);
  }
  {
    Ends ends(loop);
    ends.send(Bytes{22, 3, 1});
    const SniffedName name = co_await sniff_server_name(ends.client, loop.after(20ms), nullptr);
    CHECK(name.end == End::no_hello);
  }
  {
    Ends ends(loop);
    REQUIRE(ends.application.shutdown_write().has_value());
    const SniffedName name = co_await sniff_server_name(ends.client, loop.after(10s), nullptr);
    CHECK(name.end == End::no_hello);
  }
  {
    Ends ends(loop);
    coro::CancelSource cancel;
    cancel.cancel();
    const SniffedName name = co_await sniff_server_name(ends.client, loop.after(10s), &cancel);
    CHECK(name.end == End::failed);
  }
}

ON_BOTH_BACKENDS("no TLS, silence, the client's end and a cut are told apart") {
  run_on<B>(other_ends);
}

}  // namespace
}  // namespace aquifer::ztunnel
