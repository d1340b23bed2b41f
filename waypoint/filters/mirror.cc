#include "waypoint/filters/mirror.h"

#include "common/io/expiry.h"
#include "waypoint/worker.h"

#include <utility>

namespace aquifer::waypoint {
namespace {

// Copies under way on one loop: with a mirror that never answers, what they hold stays bounded
// (64 KiB of body each at the most).
constexpr std::size_t kMirrorsMax = 1'000;
// A copy whose answer takes longer is given up.
constexpr auto kMirrorTimeout = std::chrono::seconds(30);

}  // namespace

void Mirrors::send(model::SnapshotPtr snapshot, std::string cluster, http::RequestHead head,
                   std::string body) {
  if (scope_.running() >= kMirrorsMax || scope_.cancel_source().cancelled()) return;
  scope_.spawn(run(std::move(snapshot), std::move(cluster), std::move(head), std::move(body)));
}

coro::Task<void> Mirrors::run(model::SnapshotPtr snapshot, std::string cluster_key,
                              http::RequestHead head, std::string body) {
  const auto cluster = worker_.clusters.find(snapshot, cluster_key, worker_.loop.now());
  if (cluster == nullptr) co_return;
  const Permit permit =
      try_permit(cluster->circuit(), cluster->config().limits, CircuitKind::request);
  if (!permit) co_return;
  PickRequest pick;
  pick.now = worker_.loop.now();
  pick.random = worker_.random();
  auto lease = cluster->pick(pick);
  if (!lease) co_return;
  // As Envoy marks it, so that a backend can tell a copy.
  if (!head.authority.empty()) head.authority.append("-shadow");
  io::Expiry expiry(worker_.loop, worker_.loop.after(kMirrorTimeout), &scope_.cancel_source());
  const auto wire = cluster->config().protocol == l7::UpstreamProtocol::http2
                        ? UpstreamPool::Wire::http2
                        : UpstreamPool::Wire::http1;
  const auto end = body.empty() ? http::End::yes : http::End::no;
  auto upstream =
      co_await worker_.upstreams.open(*cluster, lease->pointer(), head, end, wire, expiry.source());
  if (!upstream) co_return;
  http::ClientStream& stream = upstream->stream();
  if (!body.empty()) {
    const auto room = co_await stream.writable(expiry.source());
    if (!room || !stream.write(io::Buffer::copy_of(as_bytes(body)))) co_return;
    const auto flushed = co_await stream.writable(expiry.source());
    if (!flushed || !stream.finish({})) co_return;
  }
  for (;;) {
    auto answer = co_await stream.response(expiry.source());
    if (!answer) co_return;
    if (answer->status >= 200) break;
  }
  // Read to its end, so that the connection can be used again.
  for (;;) {
    auto bytes = co_await stream.read(expiry.source());
    if (!bytes || bytes->empty()) break;
  }
  lease->done(worker_.loop.now(), Outcome::cancelled);
}

coro::Task<void> Mirrors::stop() {
  scope_.cancel();
  co_await scope_.join();
}

}  // namespace aquifer::waypoint
