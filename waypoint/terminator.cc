#include "waypoint/terminator.h"

#include "common/base/log.h"
#include "common/hbone/forwarded.h"
#include "common/io/expiry.h"
#include "common/io/socket_options.h"
#include "common/tls/connect.h"
#include "waypoint/connection.h"
#include "waypoint/worker.h"

#include <utility>

namespace aquifer::waypoint {
namespace {

constexpr const char* kTarget = "waypoint::inbound";
// From the accepted socket to a finished handshake. The peer's own dial gives up after 10 s.
constexpr auto kHandshakeTimeout = std::chrono::seconds(10);
// Unfinished handshakes of one loop: each may hold a few tens of KiB, and none has shown a
// certificate yet.
constexpr std::size_t kHandshakesMax = 1024;

// How long the last chunk may wait for a client that reads nothing: one that reads 10 KiB a second
// has taken it by then.
constexpr auto kFlushMax = std::chrono::seconds(10);
// How long, and how much, a client may still send when its connection is over.
constexpr auto kLinger = std::chrono::seconds(1);
constexpr std::size_t kLingerBytesMax = std::size_t{4} << 20;

// The client's own port is only the tunnel's word; its address was proven by the connection.
SocketAddress client_address(const SocketAddress& peer, const std::string& forwarded) {
  const auto said = hbone::parse_forwarded(forwarded).source;
  return said && said->ip == peer.ip ? *said : SocketAddress{peer.ip, peer.port};
}

}  // namespace

Terminator::Terminator(Worker& worker, Fd listener)
    : worker_(worker), listener_(worker.loop, std::move(listener)) {}

coro::Task<void> Terminator::run() {
  for (;;) {
    auto accepted = co_await listener_.accept();
    if (!accepted) break;
    scope_.spawn(serve_tunnel(std::move(*accepted)));
  }
  co_await scope_.join();
}

coro::Task<void> Terminator::serve_tunnel(Fd accepted) {
  if (handshakes_ >= kHandshakesMax) co_return;
  auto socket = std::make_unique<io::Socket>(worker_.loop, std::move(accepted));
  std::ignore = io::set_nodelay(socket->fd());
  std::ignore = io::set_keepalive(socket->fd(), io::Keepalive());
  const auto from = socket->peer_address();
  if (!from) co_return;  // gone before it was looked at
  Peer peer{from->addr, {}};
  ++handshakes_;
  auto tunnel = co_await accept_tunnel(std::move(socket), peer);
  --handshakes_;
  if (!tunnel) co_return;
  hbone::Tunnel* running = tunnel->get();
  tunnels_.push_back(running);
  if (draining_) running->drain();
  // A handshake that finished in the very turn of cut() was not there to be cut.
  if (scope_.cancel_source().cancelled()) running->close();
  co_await running->run();
  std::erase(tunnels_, running);
}

coro::Task<Result<std::unique_ptr<hbone::Tunnel>>> Terminator::accept_tunnel(
    std::unique_ptr<io::Socket> socket, Peer& peer) {
  coro::CancelSource* cancel = &scope_.cancel_source();
  const Deadline deadline = worker_.loop.after(kHandshakeTimeout);
  const SelfPtr self = worker_.self;
  auto certificate = co_await worker_.certs.get(worker_.loop, self->identity, deadline, cancel);
  if (!certificate) {
    log::warn(kTarget, "{}: no certificate: {}", peer.address.to_string(),
              certificate.error().message());
    co_return std::unexpected(certificate.error());
  }
  std::string reason;
  auto secured =
      co_await tls::handshake_server(*socket, (*certificate)->server, deadline, cancel, &reason);
  if (!secured) {
    if (reason.empty()) reason = secured.error().message();
    log::warn(kTarget, "{}: tls handshake error: {}", peer.address.to_string(), reason);
    co_return std::unexpected(secured.error());
  }
  peer.identity = secured->peer.identity;
  auto serve = [this, &peer](std::unique_ptr<hbone::TunnelStream> stream,
                             hbone::ConnectRequest request) {
    return serve_connect(peer, std::move(stream), std::move(request));
  };
  co_return std::make_unique<hbone::Tunnel>(std::move(socket), std::move(*secured),
                                            hbone::Role::server, worker_.account, serve);
}

coro::Task<void> Terminator::serve_connect(const Peer& peer,
                                           std::unique_ptr<hbone::TunnelStream> stream,
                                           hbone::ConnectRequest request) {
  const model::SnapshotPtr snapshot = worker_.snapshot;
  const SelfPtr self = worker_.self;
  const std::string& network = worker_.node.settings.network;
  auto meant =
      what_is_meant(*snapshot, self->gateway, network, request.authority, peer.identity.ns());
  if (!meant) {
    log::warn(kTarget, "{} ({}): CONNECT {} refused: {}", peer.address.to_string(),
              peer.identity.to_string(), request.authority, meant.error().reason);
    note_refusal(peer, request, meant.error().status, meant.error().reason);
    stream->refuse(meant.error().status);
    co_return;
  }
  auto downstream = std::make_shared<Downstream>();
  downstream->identity = peer.identity;
  downstream->source = client_address(peer.address, request.forwarded);
  downstream->source_workload = snapshot->workload_by_ip(network, peer.address.ip);
  downstream->wanted = meant->wanted;
  downstream->authority = std::move(request.authority);
  downstream->service = std::move(meant->service);
  downstream->workload = std::move(meant->workload);
  downstream->port = meant->port;
  if (downstream->service != nullptr) {
    downstream->service_key =
        model::service_key(downstream->service->ns, downstream->service->hostname);
  }
  auto chain = worker_.chains.find(snapshot, *downstream);
  if (chain == nullptr) {
    stream->refuse(404);
    co_return;
  }
  if (!stream->accept(hbone::ConnectResponse())) co_return;  // the client went away first
  Connection connection(worker_, std::move(downstream), *stream);
  co_await connection.run(std::move(chain), &scope_.cancel_source());
  co_await say_goodbye(*stream);
}

// It never became a connection: the pages are the only ones to show it.
void Terminator::note_refusal(const Peer& peer, const hbone::ConnectRequest& request, int status,
                              const std::string& reason) {
  auto downstream = std::make_shared<Downstream>();
  downstream->identity = peer.identity;
  downstream->source = client_address(peer.address, request.forwarded);
  SeenRequest seen;
  seen.event = RequestEvent::refused;
  seen.at = std::chrono::system_clock::now();
  seen.what = RecordOf::connection;
  seen.downstream = std::move(downstream);
  seen.authority = request.authority.substr(0, SeenRequest::kTextMax);
  seen.status = status;
  seen.reason = reason;
  seen.worker = worker_.index;
  if (worker_.journal.followed()) worker_.journal.add(seen);
  worker_.refusals.add(std::move(seen));
}

// What was written last is still on its way, and the end comes behind it. A client that is still
// sending would lose our answer to a reset: what it sends is dropped for a moment.
coro::Task<void> Terminator::say_goodbye(hbone::TunnelStream& stream) {
  io::Expiry patience(worker_.loop, worker_.loop.after(kFlushMax), &scope_.cancel_source());
  const auto flushed = co_await stream.writable(patience.source());
  if (!flushed || !stream.shutdown_write()) {
    stream.abort();
    co_return;
  }
  const Deadline deadline = worker_.loop.after(kLinger);
  for (std::size_t dropped = 0; dropped < kLingerBytesMax;) {
    auto bytes = co_await io::read_before(worker_.loop, stream, kLingerBytesMax, deadline,
                                          &scope_.cancel_source());
    if (!bytes || bytes->empty()) co_return;
    dropped += bytes->size();
  }
}

void Terminator::drain() {
  if (draining_) return;
  draining_ = true;
  scope_.spawn(stop_listening());
  for (hbone::Tunnel* tunnel : tunnels_) tunnel->drain();
}

coro::Task<void> Terminator::stop_listening() {
  co_await listener_.stop();
}

void Terminator::cut() {
  drain();
  scope_.cancel();
  for (hbone::Tunnel* tunnel : tunnels_) tunnel->close();
}

}  // namespace aquifer::waypoint
