// A DNS server on 127.0.0.1 that does what a test says, on the test's own loop.
#pragma once

#include "common/coro/scope.h"
#include "common/io/listener.h"
#include "common/io/netns.h"
#include "common/io/readiness.h"
#include "tests/unit/common/io/io_fixture.h"
#include "tests/unit/ztunnel/dns/messages.h"
#include "ztunnel/dns/tcp_framing.h"
#include "ztunnel/dns/udp_socket.h"
#include "ztunnel/dns/upstream.h"

#include <functional>
#include <utility>
#include <vector>

namespace aquifer::ztunnel::dns::test {

/// What is sent for the n-th query (from 0); nothing for silence.
using Script = std::function<std::vector<Message>(const Message& query, std::size_t n)>;

inline SocketAddress bound_address(int fd) {
  SockaddrStorage bound;
  bound.length = sizeof bound.storage;
  REQUIRE(::getsockname(fd, bound.get(), &bound.length) == 0);
  return bound.to_address().value();
}

inline Fd udp_on_loopback() {
  Fd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const SockaddrStorage any(SocketAddress{IpAddress::loopback_v4(), 0});
  REQUIRE(::bind(fd.get(), any.get(), any.length) == 0);
  return fd;
}

/// A port where nobody is.
inline SocketAddress nobody() {
  return bound_address(udp_on_loopback().get());
}

class FakeServer {
 public:
  FakeServer(io::Loop& loop, Script script)
      : loop_(loop), udp_(loop, udp_on_loopback()), script_(std::move(script)) {
    serving_.spawn(serve());
  }
  [[nodiscard]] SocketAddress address() const { return bound_address(udp_.fd()); }
  coro::Task<void> end() {
    serving_.cancel();
    co_await serving_.join();
  }

  std::vector<Message> queries;
  std::vector<SocketAddress> clients;

 private:
  coro::Task<void> serve() {
    for (;;) {
      io::Readable wait(loop_, udp_.channel(), Deadline::never(), &serving_.cancel_source());
      const Status readable = co_await wait;
      if (!readable) co_return;
      Message query(4096);
      SockaddrStorage client;
      client.length = sizeof client.storage;
      const ssize_t got = ::recvfrom(udp_.fd(), query.data(), query.size(), MSG_DONTWAIT,
                                     client.get(), &client.length);
      if (got < 0) continue;
      query.resize(static_cast<std::size_t>(got));
      queries.push_back(query);
      clients.push_back(client.to_address().value());
      for (const Message& answer : script_(query, queries.size() - 1))
        ::sendto(udp_.fd(), answer.data(), answer.size(), 0, client.get(), client.length);
    }
  }

  io::Loop& loop_;
  UdpSocket udp_;
  Script script_;
  coro::Scope serving_;
};

/// An Upstream in the namespace of the test.
struct Asking {
  Asking(io::Loop& loop, Servers list)
      : space(io::NetworkNamespace::current().value()),
        servers(std::make_shared<const Servers>(std::move(list))),
        upstream({loop, space, 0, servers}) {}
  io::NetworkNamespace space;
  ServersPtr servers;
  Upstream upstream;
};

}  // namespace aquifer::ztunnel::dns::test
