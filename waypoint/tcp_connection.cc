#include "waypoint/tcp_connection.h"

#include "common/io/copy.h"
#include "common/io/expiry.h"
#include "common/tls/client_hello.h"
#include "waypoint/error_words.h"
#include "waypoint/exchange.h"
#include "waypoint/filters/security.h"
#include "waypoint/worker.h"

#include <utility>

namespace aquifer::waypoint {
namespace {

// Endpoints that one connection tries, as ztunnel's.
constexpr std::uint32_t kTriesMax = 3;

}  // namespace

coro::Task<void> TcpConnection::run(l7::ChainPtr chain, io::Buffer first,
                                    coro::CancelSource* cancel) {
  const model::SnapshotPtr snapshot = worker_.snapshot;
  record_.started_at = std::chrono::system_clock::now();
  record_.started = worker_.loop.now();
  record_.downstream = downstream_;
  record_.what = RecordOf::connection;
  const LiveRequest live(worker_.live, record_, nullptr);

  const auto hello = tls::look_for_server_name(first.view());
  record_.server_name = hello.name;
  if (const auto refused = refuse_by_policy(*snapshot, hello.name)) {
    record_.flags.set(Flag::unauthorized);
    record_.connection_details = "rbac_access_denied";
    record_.refusal = *refused;
    client_.abort();
    finish();
    co_return;
  }
  const l7::TcpRoute* route = l7::tcp_route(
      *chain, hello.name,
      downstream_->identity.empty() ? std::string_view() : downstream_->identity.ns());
  std::string key;
  if (route != nullptr) {
    const l7::WeightedCluster* choice = pick_weighted(route->clusters, worker_.random());
    if (choice != nullptr) key = choice->cluster;
  } else if (chain->tcp_routes.empty()) {
    key = own_cluster(*downstream_);
  }
  const auto cluster =
      key.empty() ? nullptr : worker_.clusters.find(snapshot, key, worker_.loop.now());
  if (cluster == nullptr) {
    record_.flags.set(route == nullptr ? Flag::no_route : Flag::no_cluster);
    client_.abort();
    finish();
    co_return;
  }
  record_.cluster = cluster->config_pointer();
  record_.phase = Phase::connecting;
  Lease lease;
  auto server = co_await connect(*cluster, lease, cancel);
  if (server == nullptr) {
    client_.abort();
    finish();
    co_return;
  }
  record_.phase = Phase::answering;
  counters_ = worker_.node.metrics.opened(record_);
  if (!first.empty()) {
    from_client(first.size());
    const auto room = co_await server->writable(cancel);
    if (!room || !server->write(std::move(first))) {
      client_.abort();
      server->abort();
      record_.flags.set(Flag::upstream_connection_termination);
      finish();
      co_return;
    }
  }
  io::Copy copy(client_, *server, *this);
  std::ignore = co_await copy.run(*cancel);
  lease.done(worker_.loop.now(), Outcome::answered, 200);
  finish();
}

void TcpConnection::finish() {
  worker_.node.metrics.finish_tcp(worker_, counters_, std::move(record_));
}

std::optional<std::string> TcpConnection::refuse_by_policy(const model::Snapshot& snapshot,
                                                           std::string_view server_name) {
  const l7::SecurityBook& book = *snapshot.books().security;
  if (book.empty()) return std::nullopt;
  const SelfPtr self = worker_.self;
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  SecurityContext context{.book = book,
                          .keys = worker_.token_keys,
                          .gateway = self->gateway,
                          .service = downstream_->service_key,
                          .source = downstream_->source,
                          .destination = downstream_->wanted,
                          .identity = downstream_->proven(),
                          .server_name = server_name,
                          .now = now,
                          .token = nullptr,
                          .request_principal = {},
                          .audited_by = {},
                          .dry_run = {}};
  return secure_connection(context);
}

coro::Task<std::unique_ptr<io::ByteStream>> TcpConnection::connect(Cluster& cluster, Lease& lease,
                                                                   coro::CancelSource* cancel) {
  std::vector<model::EndpointId> tried;
  for (record_.tries = 1; record_.tries <= kTriesMax; ++record_.tries) {
    PickRequest pick;
    pick.now = worker_.loop.now();
    pick.random = worker_.random();
    pick.tried = tried;
    auto picked = cluster.pick(pick);
    if (!picked) {
      record_.flags.set(Flag::no_healthy_upstream);
      co_return nullptr;
    }
    lease = std::move(*picked);
    tried.push_back(lease.endpoint().id);
    record_.upstream_host = lease.endpoint().address;
    record_.upstream = lease.endpoint().workload;
    const Deadline deadline = worker_.loop.after(cluster.config().limits.connect_timeout);
    std::string service = cluster.config().hostname;
    auto stream =
        co_await worker_.connector.connect(lease.pointer(), std::move(service), deadline, cancel);
    if (stream) co_return std::move(*stream);
    record_.upstream_failure = words_of(stream.error());
    lease.done(worker_.loop.now(), Outcome::connect_failed);
    if (stream.error().code == Errc::cancelled) co_return nullptr;
  }
  record_.flags.set(Flag::upstream_connection_failure);
  co_return nullptr;
}

}  // namespace aquifer::waypoint
