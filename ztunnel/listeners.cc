#include "ztunnel/listeners.h"

#include "common/io/socket_options.h"
#include "config/model/proxy_ports.h"
#include "ztunnel/connection.h"

#include <fmt/format.h>

#include <linux/filter.h>
#include <sys/socket.h>

#include <cerrno>

namespace aquifer::ztunnel {
namespace {

std::string describe(std::uint16_t port, const Error& error) {
  if (error.detail == EADDRINUSE) {
    return fmt::format(
        "port {} is in use in the pod: stop what listens there, or keep the pod out of the mesh "
        "(label istio.io/dataplane-mode: none)",
        port);
  }
  return fmt::format("listening on port {}: {}", port, error.message());
}

Result<Fd> listen_in(const io::NetworkNamespace& pod, std::uint16_t port, const Settings& settings,
                     Transparency transparent) {
  const IpAddress any = settings.ipv6 ? IpAddress::any_v6() : IpAddress::any_v4();
  io::ListenOptions options;
  options.reuse_port = settings.port_reuse;
  options.transparent = transparent == Transparency::on;
  options.mark = settings.packet_mark;
  const auto make = [&](const IpAddress& address) -> Result<Fd> {
    const int family = address.is_v4() ? AF_INET : AF_INET6;
    TRY(Fd fd, io::socket_in(pod, family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
    // What is accepted inherits it: two to seven system calls that no connection makes.
    tune_socket(fd.get(), settings);
    TRY_VOID(io::listen_on(fd.get(), SocketAddress{address, port}, options));
    return fd;
  };
  auto made = make(any);
  // A namespace without IPv6 at all.
  if (!made && (made.error().detail == EAFNOSUPPORT || made.error().detail == EADDRNOTAVAIL)) {
    return make(IpAddress::any_v4());
  }
  return made;
}

}  // namespace

std::expected<PodListeners, std::string> make_listeners(const io::NetworkNamespace& pod,
                                                        const Settings& settings) {
  PodListeners listeners;
  struct Wanted {
    Fd& fd;
    std::uint16_t port;
  };
  const auto make_all =
      [&](Transparency transparent) -> std::expected<void, std::pair<std::uint16_t, Error>> {
    for (const Wanted& wanted : {Wanted{listeners.outbound, model::kOutboundPort},
                                 Wanted{listeners.plaintext, model::kInboundPlaintextPort},
                                 Wanted{listeners.hbone, model::kInboundTunnelPort}}) {
      auto made = listen_in(pod, wanted.port, settings, transparent);
      if (!made) return std::unexpected(std::pair{wanted.port, made.error()});
      wanted.fd = std::move(*made);
    }
    listeners.transparent = transparent;
    return {};
  };
  const Transparency wanted =
      settings.original_source == OriginalSource::off ? Transparency::off : Transparency::on;
  auto made = make_all(wanted);
  // Without CAP_NET_ADMIN in the pod's namespace the address cannot be kept; `automatic` does
  // without.
  if (!made && made.error().second.detail == EPERM &&
      settings.original_source == OriginalSource::automatic) {
    made = make_all(Transparency::off);
  }
  if (!made) return std::unexpected(describe(made.error().first, made.error().second));
  if (settings.dns.capture) {
    auto dns = dns::make_sockets(pod, {.port = settings.dns.port,
                                       .mark = settings.packet_mark,
                                       .ipv6 = settings.ipv6,
                                       .reuse_port = settings.port_reuse});
    if (!dns) return std::unexpected(describe(settings.dns.port, dns.error()));
    listeners.dns = std::move(*dns);
  }
  return listeners;
}

void steer_to_newest(int listener) noexcept {
  // Sockets of one port are numbered in the order they came, so the successor of the only one is
  // number 1. When there is none the number is invalid and the kernel chooses as before.
  sock_filter choose{BPF_RET | BPF_K, 0, 0, 1};
  const sock_fprog program{1, &choose};
  std::ignore =
      ::setsockopt(listener, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program);
}

}  // namespace aquifer::ztunnel
