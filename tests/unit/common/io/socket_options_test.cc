#include "common/io/socket_options.h"

#include "tests/unit/common/io/io_fixture.h"

#include <netinet/tcp.h>

#include <cerrno>

namespace aquifer::io {
namespace {

int option(int fd, int level, int name) {
  int value = -1;
  socklen_t length = sizeof value;
  REQUIRE(::getsockopt(fd, level, name, &value, &length) == 0);
  return value;
}

TEST_CASE("keepalive and no-delay reach the kernel as asked") {
  const Fd fd = tcp_socket(AF_INET).value();
  Keepalive keepalive;
  keepalive.time_seconds = 11;
  keepalive.interval_seconds = 7;
  keepalive.probes = 3;
  keepalive.user_timeout = true;
  REQUIRE(set_keepalive(fd.get(), keepalive));
  REQUIRE(set_nodelay(fd.get()));
  CHECK(option(fd.get(), SOL_SOCKET, SO_KEEPALIVE) == 1);
  CHECK(option(fd.get(), IPPROTO_TCP, TCP_KEEPIDLE) == 11);
  CHECK(option(fd.get(), IPPROTO_TCP, TCP_KEEPINTVL) == 7);
  CHECK(option(fd.get(), IPPROTO_TCP, TCP_KEEPCNT) == 3);
  CHECK(option(fd.get(), IPPROTO_TCP, TCP_USER_TIMEOUT) == 32'000);
  CHECK(option(fd.get(), IPPROTO_TCP, TCP_NODELAY) == 1);
}

TEST_CASE("a port in use is reported with the system's reason") {
  const Listening first = listen_anywhere();
  const Fd second = tcp_socket(AF_INET).value();
  const Status taken = listen_on(second.get(), first.address, {});
  REQUIRE_FALSE(taken.has_value());
  CHECK(taken.error().detail == EADDRINUSE);
}

TEST_CASE("two listeners share a port when both say so") {
  ListenOptions options;
  options.reuse_port = true;
  const Fd first = tcp_socket(AF_INET).value();
  REQUIRE(listen_on(first.get(), SocketAddress{IpAddress::loopback_v4(), 0}, options));
  SockaddrStorage bound;
  bound.length = sizeof bound.storage;
  REQUIRE(::getsockname(first.get(), bound.get(), &bound.length) == 0);
  const Fd second = tcp_socket(AF_INET).value();
  CHECK(listen_on(second.get(), bound.to_address().value(), options));
}

coro::Task<void> dual_stack(Loop& loop) {
  const Fd listener = tcp_socket(AF_INET6).value();
  REQUIRE(listen_on(listener.get(), SocketAddress{IpAddress::any_v6(), 0}, {}));
  SockaddrStorage bound;
  bound.length = sizeof bound.storage;
  REQUIRE(::getsockname(listener.get(), bound.get(), &bound.length) == 0);
  const std::uint16_t port = bound.to_address().value().port;
  const Fd client = connect_now(SocketAddress{IpAddress::loopback_v4(), port});
  Fd accepted(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  REQUIRE(accepted.valid());
  Socket socket(loop, std::move(accepted));
  CHECK(socket.peer_address().value().addr.ip == IpAddress::loopback_v4());
  CHECK(socket.local_address().value().addr == SocketAddress{IpAddress::loopback_v4(), port});
  // Nobody redirected it.
  CHECK(socket.original_destination().value().addr == socket.local_address().value().addr);
  co_return;
}

TEST_CASE("a listener on the IPv6 wildcard takes IPv4, and says the IPv4 addresses") {
  run_on<Epoll>(dual_stack);
}

}  // namespace
}  // namespace aquifer::io
