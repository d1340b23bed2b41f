#include "ztunnel/dns/sockets.h"

#include "common/base/address.h"
#include "common/io/socket_options.h"
#include "ztunnel/dns/succession.h"

#include <sys/socket.h>

#include <cerrno>
#include <tuple>

namespace aquifer::ztunnel::dns {
namespace {

// The kernel's default holds some 270 small queries; a pod that starts asks for more at once. Used
// only while they wait.
constexpr int kReceiveBytes = 1 << 20;

Status set_int(int fd, int level, int option, int value) noexcept {
  if (::setsockopt(fd, level, option, &value, sizeof value) == 0) return {};
  return std::unexpected(error_from_errno(errno, "preparing a DNS socket"));
}

Result<Fd> udp_socket(const io::NetworkNamespace& pod, const SocketAddress& address,
                      const SocketOptions& options) {
  const int family = address.ip.is_v4() ? AF_INET : AF_INET6;
  TRY(Fd fd, io::socket_in(pod, family, SOCK_DGRAM | SOCK_NONBLOCK, IPPROTO_UDP));
  if (options.reuse_port) TRY_VOID(set_int(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1));
  if (family == AF_INET6) TRY_VOID(set_int(fd.get(), SOL_IPV6, IPV6_V6ONLY, 1));
  if (options.mark != 0) TRY_VOID(io::set_mark(fd.get(), options.mark));
  // Past the system's limit where we may, else up to it.
  if (!set_int(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, kReceiveBytes))
    std::ignore = set_int(fd.get(), SOL_SOCKET, SO_RCVBUF, kReceiveBytes);
  const SockaddrStorage to(address);
  if (::bind(fd.get(), to.get(), to.length) != 0)
    return std::unexpected(error_from_errno(errno, "binding"));
  if (options.reuse_port) leave_to_oldest(fd.get());
  return fd;
}

Result<Fd> tcp_socket(const io::NetworkNamespace& pod, const SocketAddress& address,
                      const SocketOptions& options) {
  const int family = address.ip.is_v4() ? AF_INET : AF_INET6;
  TRY(Fd fd, io::socket_in(pod, family, SOCK_STREAM | SOCK_NONBLOCK, IPPROTO_TCP));
  io::ListenOptions listen;
  listen.reuse_port = options.reuse_port;
  listen.mark = options.mark;
  TRY_VOID(io::listen_on(fd.get(), address, listen));
  if (options.reuse_port) leave_to_oldest(fd.get());
  return fd;
}

Status add_family(Sockets& sockets, const io::NetworkNamespace& pod, const IpAddress& loopback,
                  const SocketOptions& options) {
  const SocketAddress address{loopback, options.port};
  TRY(Fd udp, udp_socket(pod, address, options));
  TRY(Fd tcp, tcp_socket(pod, address, options));
  sockets.udp.push_back(std::move(udp));
  sockets.tcp.push_back(std::move(tcp));
  return {};
}

}  // namespace

Result<Sockets> make_sockets(const io::NetworkNamespace& pod, const SocketOptions& options) {
  Sockets sockets;
  TRY_VOID(add_family(sockets, pod, IpAddress::loopback_v4(), options));
  if (!options.ipv6) return sockets;
  const Status six = add_family(sockets, pod, IpAddress::loopback_v6(), options);
  const bool no_ipv6 =
      !six && (six.error().detail == EAFNOSUPPORT || six.error().detail == EADDRNOTAVAIL);
  if (!six && !no_ipv6) return std::unexpected(six.error());
  return sockets;
}

}  // namespace aquifer::ztunnel::dns
