#include "waypoint/upstream/connector.h"

#include "common/base/log.h"
#include "common/hbone/baggage.h"
#include "common/hbone/forwarded.h"
#include "common/io/socket_options.h"
#include "common/io/socket_stream.h"
#include "common/tls/connect.h"
#include "config/model/labels.h"
#include "waypoint/worker.h"

#include <algorithm>
#include <utility>

namespace aquifer::waypoint {
namespace {

// Who we are, for the destination's telemetry.
std::string baggage_of(const model::Workload* self) {
  if (self == nullptr) return {};
  const model::BaggageFields fields = model::baggage_fields(*self);
  hbone::BaggageFields out;
  out.cluster_name = fields.cluster;
  out.namespace_name = fields.ns;
  out.workload_type = fields.workload_type;
  out.workload_name = fields.workload_name;
  out.service_name = fields.canonical_name;
  out.service_version = fields.canonical_revision;
  out.region = fields.region;
  out.zone = fields.zone;
  return hbone::build_baggage(out);
}

}  // namespace

Connector::Connector(Worker& worker)
    : worker_(worker), tunnels_(worker.loop, *this, worker.node.settings.pool) {}

coro::Task<Result<std::unique_ptr<io::ByteStream>>> Connector::connect(EndpointPtr endpoint,
                                                                       std::string service,
                                                                       Deadline deadline,
                                                                       coro::CancelSource* cancel) {
  const model::Workload& workload = *endpoint->workload;
  if (workload.protocol != model::TunnelProtocol::hbone) {
    auto socket = co_await connect_socket(endpoint->address, deadline, cancel);
    if (!socket) co_return std::unexpected(socket.error());
    Fd fd = (*socket)->take_fd();
    co_return std::make_unique<io::SocketStream>(worker_.loop, std::move(fd));
  }
  if (workload.identity.empty())
    co_return std::unexpected(
        Error(Errc::identity, ErrorSource::config, "endpoint without identity"));
  const SelfPtr self = worker_.self;
  hbone::PoolKey key;
  key.source = self->identity;
  key.expected.push_back(workload.identity);
  key.destination = TunnelAddr(SocketAddress{endpoint->address.ip, workload.tunnel_port});
  hbone::ConnectRequest request;
  request.authority = endpoint->address.to_string();
  request.baggage = baggage_of(self->workload.get());
  if (!service.empty() && self->workload != nullptr && !self->workload->addresses.empty()) {
    const SocketAddress own{self->workload->addresses.front(), 0};
    request.forwarded = hbone::build_forwarded(own, service);
  }
  auto stream = co_await tunnels_.open(std::move(key), std::move(request), deadline, cancel);
  if (!stream) co_return std::unexpected(stream.error().from(ErrorSource::upstream));
  co_return std::unique_ptr<io::ByteStream>(std::move(*stream));
}

coro::Task<Result<std::unique_ptr<hbone::Tunnel>>> Connector::dial(hbone::PoolKey key,
                                                                   Deadline deadline,
                                                                   coro::CancelSource* cancel) {
  CO_TRY(const ca::WorkloadCertPtr certificate,
         co_await worker_.certs.get(worker_.loop, key.source, deadline, cancel));
  CO_TRY(auto socket, co_await connect_socket(key.destination.addr, deadline, cancel));
  std::string reason;
  auto secured = co_await tls::handshake_client(*socket, certificate->client, key.expected,
                                                deadline, cancel, &reason);
  if (!secured) {
    log::warn("waypoint::upstream", "tunnel to {}: TLS failed: {}{}{}",
              key.destination.addr.to_string(), secured.error().message(),
              reason.empty() ? "" : ": ", reason);
    co_return std::unexpected(secured.error().from(ErrorSource::upstream));
  }
  co_return std::make_unique<hbone::Tunnel>(std::move(socket), std::move(*secured),
                                            hbone::Role::client, worker_.account,
                                            hbone::ServeConnect());
}

coro::Task<Result<std::unique_ptr<io::Socket>>> Connector::connect_socket(
    SocketAddress to, Deadline deadline, coro::CancelSource* cancel) {
  CO_TRY(Fd fd, io::tcp_socket(to.ip.is_v4() ? AF_INET : AF_INET6));
  std::ignore = io::set_nodelay(fd.get());
  auto socket = std::make_unique<io::Socket>(worker_.loop, std::move(fd));
  CO_TRY_VOID(co_await socket->connect(to, deadline, cancel));
  co_return std::move(socket);
}

}  // namespace aquifer::waypoint
