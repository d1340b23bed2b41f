#include "ztunnel/tunnel_dialer.h"

#include "common/base/log.h"
#include "common/tls/connect.h"
#include "ztunnel/error_text.h"

#include <algorithm>

namespace aquifer::ztunnel {
coro::Task<Result<std::unique_ptr<hbone::Tunnel>>> PodTunnelDialer::dial(
    hbone::PoolKey key, Deadline deadline, coro::CancelSource* cancel) {
  Worker& worker = pod_.worker;
  CO_TRY(const ca::WorkloadCertPtr certificate,
         co_await worker.certs.get(worker.loop, key.source, deadline, cancel));
  CO_TRY(auto socket, co_await connect(key.destination, deadline, cancel));
  std::string reason;
  auto secured = co_await tls::handshake_client(*socket, certificate->client, key.expected,
                                                deadline, cancel, &reason);
  if (!secured) {
    log::warn("ztunnel::outbound", "tunnel from {} to {}: TLS failed: {}{}{}", pod_.account.name,
              key.destination.addr.to_string(), secured.error().message(),
              reason.empty() ? "" : ": ", reason);
    co_return std::unexpected(secured.error().from(ErrorSource::upstream));
  }
  co_return std::make_unique<hbone::Tunnel>(std::move(socket), std::move(*secured),
                                            hbone::Role::client, pod_.account,
                                            hbone::ServeConnect());
}

coro::Task<Result<std::unique_ptr<io::Socket>>> PodTunnelDialer::connect(
    TunnelAddr to, Deadline deadline, coro::CancelSource* cancel) {
  CO_TRY(Fd fd, pod_.tcp_socket(to.addr.ip));
  auto socket = std::make_unique<io::Socket>(pod_.worker.loop, std::move(fd));
  const Status connected = co_await socket->connect(to.addr, deadline, cancel);
  if (connected) co_return std::move(socket);
  const Error error = connected.error();
  if (error.code == Errc::timed_out) co_return std::unexpected(error.in(kTunnelDialTimedOut));
  co_return std::unexpected(error);
}

}  // namespace aquifer::ztunnel
