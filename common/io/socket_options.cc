#include "common/io/socket_options.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>

namespace aquifer::io {
namespace {

Status set_int(int fd, int level, int option, int value, const char* what) noexcept {
  if (::setsockopt(fd, level, option, &value, sizeof value) == 0) return {};
  return std::unexpected(error_from_errno(errno, what));
}

// Not in glibc's headers of Debian 12 for IPv6; from linux/in6.h.
constexpr int kIpv6Transparent = 75;

Status set_transparent(int fd, int family) noexcept {
  TRY_VOID(set_int(fd, SOL_IP, IP_TRANSPARENT, 1, "IP_TRANSPARENT"));
  if (family != AF_INET6) return {};
  return set_int(fd, SOL_IPV6, kIpv6Transparent, 1, "IPV6_TRANSPARENT");
}

}  // namespace

int socket_family(int fd) noexcept {
  int family = AF_INET;
  socklen_t length = sizeof family;
  ::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &length);
  return family;
}

Status set_nodelay(int fd) noexcept {
  return set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY");
}

Status set_keepalive(int fd, const Keepalive& keepalive) noexcept {
  TRY_VOID(set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1, "SO_KEEPALIVE"));
  TRY_VOID(set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, keepalive.time_seconds, "TCP_KEEPIDLE"));
  TRY_VOID(set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, keepalive.interval_seconds, "TCP_KEEPINTVL"));
  TRY_VOID(set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, keepalive.probes, "TCP_KEEPCNT"));
  if (!keepalive.user_timeout) return {};
  const int limit_ms =
      (keepalive.time_seconds + keepalive.probes * keepalive.interval_seconds) * 1000;
  return set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, limit_ms, "TCP_USER_TIMEOUT");
}

Status set_mark(int fd, std::uint32_t mark) noexcept {
  return set_int(fd, SOL_SOCKET, SO_MARK, static_cast<int>(mark), "SO_MARK");
}

Status set_transparent(int fd) noexcept {
  return set_transparent(fd, socket_family(fd));
}

namespace {

// A transparent socket may have any address: IP_FREEBIND would add nothing.
Status prepare_foreign_bind(int fd, int family) noexcept {
  TRY_VOID(set_transparent(fd, family));
  return set_int(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, 1, "IP_BIND_ADDRESS_NO_PORT");
}

}  // namespace

Status bind_transparent(int fd, const IpAddress& address) noexcept {
  const int family = socket_family(fd);
  TRY_VOID(prepare_foreign_bind(fd, family));
  const SockaddrStorage to(SocketAddress{address, 0}, family);
  if (::bind(fd, to.get(), to.length) == 0) return {};
  return std::unexpected(error_from_errno(errno, "binding to the client's address"));
}

Status bind_transparent_apart(int fd, const IpAddress& address, std::uint32_t random) noexcept {
  // ip_local_port_range ends at 60999 unless somebody changed it, and servers are rare above.
  constexpr std::uint32_t kFirst = 61000;
  constexpr std::uint32_t kCount = 65536 - kFirst;
  // Eight places far from each other: when all are taken, a search would cost more than it is
  // worth.
  constexpr std::uint32_t kTries = 8;
  const int family = socket_family(fd);
  TRY_VOID(prepare_foreign_bind(fd, family));
  for (std::uint32_t i = 0; i < kTries; ++i) {
    const auto port =
        static_cast<std::uint16_t>(kFirst + (random + i * (kCount / kTries)) % kCount);
    const SockaddrStorage to(SocketAddress{address, port}, family);
    if (::bind(fd, to.get(), to.length) == 0) return {};
    if (errno != EADDRINUSE) break;
  }
  return bind_transparent(fd, address);
}

Status listen_on(int fd, const SocketAddress& address, const ListenOptions& options) noexcept {
  TRY_VOID(set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR"));
  if (options.reuse_port) TRY_VOID(set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1, "SO_REUSEPORT"));
  if (options.mark != 0) TRY_VOID(set_mark(fd, options.mark));
  if (options.transparent) TRY_VOID(set_transparent(fd));
  if (socket_family(fd) == AF_INET6) TRY_VOID(set_int(fd, SOL_IPV6, IPV6_V6ONLY, 0, "IPV6_V6ONLY"));
  const SockaddrStorage to(address, socket_family(fd));
  if (::bind(fd, to.get(), to.length) != 0)
    return std::unexpected(error_from_errno(errno, "binding"));
  if (::listen(fd, options.backlog) != 0)
    return std::unexpected(error_from_errno(errno, "listening"));
  return {};
}

Result<Fd> tcp_socket(int family) noexcept {
  Fd fd(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!fd) return std::unexpected(error_from_errno(errno, "making a socket"));
  return fd;
}

}  // namespace aquifer::io
