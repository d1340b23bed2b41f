#include "ztunnel/inbound.h"

#include "common/hbone/forwarded.h"
#include "common/io/socket_stream.h"
#include "common/telemetry/access_log.h"
#include "common/tls/connect.h"
#include "config/model/resolve.h"
#include "ztunnel/connection.h"
#include "ztunnel/early_denial.h"
#include "ztunnel/error_text.h"
#include "ztunnel/judge.h"
#include "ztunnel/same_node/node_wide.h"

#include <utility>

namespace aquifer::ztunnel {
namespace {

using telemetry::Direction;

// From the accepted socket to a finished handshake. The peer's own dial gives up after 10 s.
constexpr auto kHandshakeTimeout = std::chrono::seconds(10);
// Unfinished handshakes of one pod: each may hold a few tens of KiB, and none has shown a
// certificate yet.
constexpr std::size_t kHandshakesMax = 1024;

void refuse(PodContext& pod, hbone::TunnelStream& stream, int status, const PeerAddr& from,
            const LocalAddr& to, std::string reason) {
  stream.refuse(status);
  deny_early(pod, Direction::inbound, from.addr, to.addr, std::move(reason));
}

}  // namespace

coro::Task<void> Inbound::serve_tunnel(Fd accepted) {
  Worker& worker = pod_.worker;
  if (handshakes_ >= kHandshakesMax) co_return;
  const telemetry::GaugeHold open_socket(
      worker.node.traffic.sockets_open(telemetry::Reporter::destination));
  auto socket = std::make_unique<io::Socket>(worker.loop, std::move(accepted));
  const auto from = socket->peer_address();
  const auto to = socket->local_address();
  if (!from || !to) co_return;  // gone before it was looked at

  Peer peer{*from, *to, nullptr};
  ++handshakes_;
  auto tunnel = co_await accept_tunnel(std::move(socket), peer);
  --handshakes_;
  if (!tunnel) co_return;
  hbone::Tunnel* running = tunnel->get();
  tunnels_.push_back(running);
  if (draining_) running->drain();
  // A handshake that finished in the very turn of cut() was not there to be cut.
  if (pod_.connections.cancel_source().cancelled()) running->close();
  co_await running->run();
  std::erase(tunnels_, running);
}

coro::Task<Result<std::unique_ptr<hbone::Tunnel>>> Inbound::accept_tunnel(
    std::unique_ptr<io::Socket> socket, Peer& peer) {
  Worker& worker = pod_.worker;
  coro::CancelSource* cancel = &pod_.connections.cancel_source();
  const Deadline deadline = worker.loop.after(kHandshakeTimeout);
  auto certificate = co_await worker.certs.get(worker.loop, pod_.pod->identity, deadline, cancel);
  if (!certificate) {
    if (worker.node.same_node.take_probe(peer.address.addr))
      co_return std::unexpected(certificate.error());
    deny_early(pod_, Direction::inbound, peer.address.addr, peer.local.addr,
               error_text(certificate.error()));
    co_return std::unexpected(certificate.error());
  }
  std::string reason;
  auto secured =
      co_await tls::handshake_server(*socket, (*certificate)->server, deadline, cancel, &reason);
  if (!secured) {
    if (worker.node.same_node.take_probe(peer.address.addr))
      co_return std::unexpected(secured.error());
    if (reason.empty()) reason = secured.error().message();
    deny_early(pod_, Direction::inbound, peer.address.addr, peer.local.addr,
               "tls handshake error: " + reason);
    co_return std::unexpected(secured.error());
  }
  peer.identity = std::make_shared<const SpiffeId>(secured->peer.identity);
  auto serve = [this, &peer](std::unique_ptr<hbone::TunnelStream> stream,
                             hbone::ConnectRequest request) {
    return serve_connect(peer, std::move(stream), std::move(request));
  };
  co_return std::make_unique<hbone::Tunnel>(std::move(socket), std::move(*secured),
                                            hbone::Role::server, pod_.account, serve);
}

coro::Task<void> Inbound::serve_connect(const Peer& peer,
                                        std::unique_ptr<hbone::TunnelStream> stream,
                                        hbone::ConnectRequest request) {
  Worker& worker = pod_.worker;
  // Before the context is known: a refusal is one short line.
  const model::SnapshotPtr snapshot = worker.snapshot;
  const model::WorkloadPtr local = pod_.pod;
  const model::InboundRequest wanted{local, peer.local, request.authority};
  const auto target = model::resolve_inbound(*snapshot, wanted);
  if (!target) {
    refuse(pod_, *stream, target.error().status, peer.address, peer.local, target.error().reason);
    co_return;
  }

  ConnectionFacts facts;
  facts.direction = Direction::inbound;
  facts.source_address = peer.address.addr;
  facts.destination_address = peer.local.addr;
  facts.wanted_address = target->upstream.addr;
  facts.hbone_address = request.authority;
  facts.source = End{snapshot->workload_by_ip(local->network, peer.address.addr.ip), peer.identity};
  facts.destination = End{local, std::shared_ptr<const SpiffeId>(local, &local->identity)};
  facts.service = target->service;
  if (facts.service == nullptr) {
    const std::string host = hbone::parse_forwarded(request.forwarded).host;
    if (!host.empty()) facts.service = model::claimed_service(*snapshot, *local, host);
  }
  auto live =
      std::make_unique<LiveConnection>(pod_.live, pod_.kinds.of(facts), facts.source_address);

  // Before the 200: a failure is a status.
  if (const auto refusal = admit_inbound(worker, *snapshot, *local, facts)) {
    stream->refuse(401);
    live->refuse(*refusal);
    co_return;
  }
  auto application = co_await connect_plain(
      pod_, target->upstream.addr, worker.loop.after(kConnectTimeout), peer.address.addr.ip);
  if (!application) {
    stream->refuse(503);
    live->fail(response_flag(application.error()), error_text(application.error()));
    co_return;
  }
  hbone::ConnectResponse response;
  if (worker.node.settings.response_baggage) response.baggage = baggage_of(*local);
  if (const Status accepted = stream->accept(response); !accepted) {
    (*application)->abort();
    live->succeed();  // the client went away first
    co_return;
  }

  // After the 200: bytes, and how they ended; this frame is not needed for that.
  LiveConnection::run(std::move(live), std::move(stream), std::move(*application));
}

coro::Task<void> Inbound::serve_plaintext(Fd accepted) {
  Worker& worker = pod_.worker;
  telemetry::GaugeHold open_socket(
      worker.node.traffic.sockets_open(telemetry::Reporter::destination));
  auto client = std::make_unique<io::SocketStream>(worker.loop, std::move(accepted));
  const auto from = client->socket().peer_address();
  const auto to = client->socket().original_destination();
  if (!from || !to) co_return;  // gone before it was looked at

  const model::SnapshotPtr snapshot = worker.snapshot;
  const auto upstream = model::resolve_inbound_plaintext(*to);
  if (!upstream) {
    deny_early(pod_, Direction::inbound, from->addr, to->addr, error_text(upstream.error()));
    client->abort();
    co_return;
  }
  ConnectionFacts facts;
  facts.direction = Direction::inbound;
  facts.source_address = from->addr;
  facts.destination_address = to->addr;
  facts.wanted_address = to->addr;
  facts.source = End{snapshot->workload_by_ip(pod_.pod->network, from->addr.ip), nullptr};
  facts.destination = End{pod_.pod, nullptr};
  auto live = std::make_unique<LiveConnection>(pod_.live, pod_.kinds.of(facts), from->addr);
  if (const auto refusal = admit_inbound(worker, *snapshot, *pod_.pod, facts)) {
    client->abort();
    live->refuse(*refusal);
    co_return;
  }

  auto application =
      co_await connect_plain(pod_, upstream->addr, worker.loop.after(kConnectTimeout),
                             from->addr.ip, ClientPackets::same_place);
  if (!application) {
    client->abort();
    live->fail(response_flag(application.error()), error_text(application.error()));
    co_return;
  }
  LiveConnection::run(std::move(live), std::move(client), std::move(*application),
                      std::move(open_socket));
}

void Inbound::drain() {
  draining_ = true;
  for (hbone::Tunnel* tunnel : tunnels_) tunnel->drain();
}

void Inbound::cut() {
  for (hbone::Tunnel* tunnel : tunnels_) tunnel->close();
}

}  // namespace aquifer::ztunnel
