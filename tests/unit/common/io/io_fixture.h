// What the io tests share: a loop on each backend, loopback sockets, checkable streams of bytes.
#pragma once

#include "common/base/address.h"
#include "common/base/fd.h"
#include "common/coro/scope.h"
#include "common/io/loop.h"
#include "common/io/socket.h"
#include "common/io/socket_options.h"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <random>
#include <utility>
#include <vector>

namespace aquifer::io {

struct Uring {
  static constexpr BackendChoice choice = BackendChoice::uring;
  static constexpr BackendKind kind = BackendKind::uring;
};
struct Epoll {
  static constexpr BackendChoice choice = BackendChoice::epoll;
  static constexpr BackendKind kind = BackendKind::epoll;
};

}  // namespace aquifer::io

TYPE_TO_STRING(aquifer::io::Uring);
TYPE_TO_STRING(aquifer::io::Epoll);

namespace aquifer::io {

/// A test that runs once on each backend; `B` is Uring or Epoll.
#define ON_BOTH_BACKENDS(sentence) TEST_CASE_TEMPLATE(sentence, B, Uring, Epoll)

/// Nothing here takes this long, not even on a machine that builds at the same time: a wait that
/// reaches it has failed.
inline constexpr auto kSoon = std::chrono::seconds(60);

template <typename B>
std::unique_ptr<Loop> make_loop() {
  auto loop = Loop::create(B::choice);
  REQUIRE_MESSAGE(loop.has_value(), "this backend cannot be used here");
  REQUIRE((*loop)->backend_kind() == B::kind);
  return std::move(*loop);
}

/// Runs `test(loop, arguments...)`, a coroutine function without captures, to its end; afterwards
/// no receive buffer may be left anywhere.
template <typename B, typename Test, typename... Arguments>
void run_on(Test test, Arguments&&... arguments) {
  const auto loop = make_loop<B>();
  loop->run(test(*loop, std::forward<Arguments>(arguments)...));
  CHECK(loop->backend().buffers_leased() == 0);
  CHECK(loop->timers().size() == 0);
}

struct FdPair {
  Fd left;
  Fd right;
};

inline FdPair unix_pair() {
  std::array<int, 2> ends{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) == 0);
  return {Fd(ends[0]), Fd(ends[1])};
}

struct Listening {
  Fd fd;
  SocketAddress address;
};

/// Listens on 127.0.0.1, on a port that the kernel chooses.
inline Listening listen_anywhere(int backlog = 1024) {
  Listening result{tcp_socket(AF_INET).value(), {}};
  ListenOptions options;
  options.backlog = backlog;
  REQUIRE(listen_on(result.fd.get(), SocketAddress{IpAddress::loopback_v4(), 0}, options));
  SockaddrStorage bound;
  bound.length = sizeof bound.storage;
  REQUIRE(::getsockname(result.fd.get(), bound.get(), &bound.length) == 0);
  result.address = bound.to_address().value();
  return result;
}

/// A TCP connection over loopback, both ends non-blocking. The kernel finishes the handshake by
/// itself, so nothing waits.
inline Fd connect_now(const SocketAddress& address) {
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const SockaddrStorage to(address);
  REQUIRE(::connect(fd.get(), to.get(), to.length) == 0);
  REQUIRE(::fcntl(fd.get(), F_SETFL, O_NONBLOCK) == 0);
  return fd;
}
inline FdPair tcp_pair() {
  const Listening listening = listen_anywhere();
  FdPair pair;
  pair.left = connect_now(listening.address);
  pair.right = Fd(::accept4(listening.fd.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  REQUIRE(pair.right.valid());
  return pair;
}

/// Bytes that can be checked at any place: a pseudo-random stream by its seed.
class ByteSource {
 public:
  explicit ByteSource(std::uint32_t seed) : engine_(seed) {}
  void fill(MutableBytes out) {
    for (auto& byte : out) byte = next();
  }
  std::uint8_t next() {
    if (left_ == 0) {
      word_ = engine_();
      left_ = 4;
    }
    const auto byte = static_cast<std::uint8_t>(word_);
    word_ >>= 8U;
    --left_;
    return byte;
  }

 private:
  std::mt19937 engine_;
  std::uint32_t word_ = 0;
  int left_ = 0;
};

/// Order and content of a stream in one number (FNV-1a).
class Digest {
 public:
  void add(ByteView bytes) {
    for (const std::uint8_t byte : bytes) value_ = (value_ ^ byte) * 0x100000001b3ULL;
    size_ += bytes.size();
  }
  [[nodiscard]] std::size_t size() const { return size_; }
  friend bool operator==(const Digest&, const Digest&) = default;

 private:
  std::uint64_t value_ = 0xcbf29ce484222325ULL;
  std::size_t size_ = 0;
};

/// Receives to the end of the stream.
inline coro::Task<Result<Digest>> receive_all(Socket& socket,
                                              std::uint32_t bytes_max = UINT32_MAX) {
  Digest digest;
  for (;;) {
    auto received = co_await socket.recv(bytes_max, socket.loop().after(kSoon));
    if (!received) co_return std::unexpected(received.error());
    if (received->empty()) co_return digest;
    digest.add(received->view());
  }
}

inline coro::Task<Status> send_text(Socket& socket, std::string_view text) {
  const Deadline deadline = socket.loop().after(kSoon);
  const Status sent = co_await socket.send_all(as_bytes(text), deadline);
  co_return sent;
}

/// Sends what it receives until the peer's end, then ends its own side.
inline coro::Task<Status> echo(Socket& socket) {
  for (;;) {
    auto received = co_await socket.recv(UINT32_MAX, socket.loop().after(kSoon));
    if (!received) co_return std::unexpected(received.error());
    if (received->empty()) break;
    const Deadline deadline = socket.loop().after(kSoon);
    CO_TRY_VOID(co_await socket.send_all(received->view(), deadline));
  }
  co_return socket.shutdown_write();
}

/// Owns the socket of an accepted connection for as long as it is echoed.
inline coro::Task<void> serve_echo(Loop& loop, Fd fd, int& served) {
  Socket socket(loop, std::move(fd));
  const Status done = co_await echo(socket);
  if (done) ++served;
}

}  // namespace aquifer::io
