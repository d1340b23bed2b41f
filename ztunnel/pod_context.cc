#include "ztunnel/pod_context.h"

#include "common/io/socket_options.h"
#include "ztunnel/connection.h"

namespace aquifer::ztunnel {

Result<Fd> PodContext::tcp_socket(const IpAddress& towards) const {
  const int family = towards.is_v4() ? AF_INET : AF_INET6;
  TRY(Fd fd,
      io::socket_in(*space, family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  TRY_VOID(io::set_mark(fd.get(), worker.node.settings.packet_mark));
  tune_socket(fd.get(), worker.node.settings);
  return fd;
}

coro::Task<Result<std::unique_ptr<io::ByteStream>>> connect_plain(PodContext& pod, SocketAddress to,
                                                                  Deadline deadline,
                                                                  std::optional<IpAddress> as,
                                                                  ClientPackets packets) {
  auto stream = co_await connect_socket(pod, to, deadline, as, packets);
  if (!stream) co_return std::unexpected(stream.error());
  co_return std::unique_ptr<io::ByteStream>(std::move(*stream));
}

coro::Task<Result<std::unique_ptr<io::SocketStream>>> connect_socket(PodContext& pod,
                                                                     SocketAddress to,
                                                                     Deadline deadline,
                                                                     std::optional<IpAddress> as,
                                                                     ClientPackets packets) {
  CO_TRY(Fd fd, pod.tcp_socket(to.ip));
  // The own address needs no borrowing, and another family cannot be borrowed.
  if (as && pod.transparent == Transparency::on && *as != to.ip && as->is_v4() == to.ip.is_v4()) {
    if (packets == ClientPackets::same_place) {
      CO_TRY_VOID(io::bind_transparent_apart(fd.get(), *as,
                                             static_cast<std::uint32_t>(pod.worker.random())));
    } else {
      CO_TRY_VOID(io::bind_transparent(fd.get(), *as));
    }
  }
  auto stream = std::make_unique<io::SocketStream>(pod.worker.loop, std::move(fd));
  const Status connected =
      co_await stream->socket().connect(to, deadline, &pod.connections.cancel_source());
  if (!connected) co_return std::unexpected(connected.error());
  co_return std::move(stream);
}

}  // namespace aquifer::ztunnel
