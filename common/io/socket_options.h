// Options of TCP sockets, by what they are for.
#pragma once

#include "common/base/address.h"
#include "common/base/fd.h"
#include "common/base/result.h"

#include <cstdint>

namespace aquifer::io {

/// TCP keepalive; the defaults are the peer's (KEEPALIVE_TIME, _INTERVAL, _RETRIES).
struct Keepalive {
  int time_seconds = 180;
  int interval_seconds = 180;
  int probes = 9;
  bool user_timeout = false;  ///< TCP_USER_TIMEOUT = time + probes * interval
};

/// AF_INET or AF_INET6.
[[nodiscard]] int socket_family(int fd) noexcept;
/// Small writes go out at once: the proxies do their own batching.
Status set_nodelay(int fd) noexcept;
Status set_keepalive(int fd, const Keepalive& keepalive) noexcept;
/// SO_MARK, by which the capture rules know the proxy's own sockets.
Status set_mark(int fd, std::uint32_t mark) noexcept;
/// IP_TRANSPARENT for both families of `fd`.
Status set_transparent(int fd) noexcept;
/// Binds to somebody else's address with a port chosen at connect time: IP_TRANSPARENT, IP_FREEBIND
/// and IP_BIND_ADDRESS_NO_PORT, so that ports are not used up per address.
Status bind_transparent(int fd, const IpAddress& address) noexcept;
/// As bind_transparent, for an address whose owner sends from its own ports to the same place: the
/// port is one that clients do not choose by themselves (61000 and up; `random` picks), for the
/// kernel's connection tracking cannot tell two connections with the same ends apart. When many are
/// taken, any port.
Status bind_transparent_apart(int fd, const IpAddress& address, std::uint32_t random) noexcept;

/// How a listener is made; `fd` comes from socket(2) in whatever namespace it is to serve.
struct ListenOptions {
  bool reuse_port = false;
  bool transparent = false;
  std::uint32_t mark = 0;  ///< 0: none
  int backlog = 1024;      ///< waiting connections; a burst of 1,000 at once must not be refused
};
/// Binds and listens; an IPv6 socket on [::] takes IPv4 too. A port in use is Errc::io with
/// EADDRINUSE.
Status listen_on(int fd, const SocketAddress& address, const ListenOptions& options) noexcept;

/// A non-blocking TCP socket in the calling thread's network namespace.
[[nodiscard]] Result<Fd> tcp_socket(int family) noexcept;

}  // namespace aquifer::io
