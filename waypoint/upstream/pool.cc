#include "waypoint/upstream/pool.h"

#include "common/io/expiry.h"
#include "waypoint/upstream/connector.h"

#include <algorithm>
#include <utility>

namespace aquifer::waypoint {
namespace {

// How often idle connections are looked at: they live at most that much longer than they should.
constexpr auto kReapInterval = std::chrono::seconds(1);
// Idle HTTP/1.1 connections to one endpoint on one loop. More were needed by a burst only.
constexpr std::size_t kIdleMax = 1024;

bool too_old(const l7::PoolLimits& limits, MonoTime opened, MonoTime now) noexcept {
  return limits.connection_age_max > Duration::zero() && now - opened >= limits.connection_age_max;
}

bool used_up(const l7::PoolLimits& limits, std::uint64_t requests) noexcept {
  return limits.requests_per_connection_max != 0 && requests >= limits.requests_per_connection_max;
}

constexpr Error kNoTls =
    Error(Errc::tls, ErrorSource::config, "TLS to endpoints is not supported by this version");

Error overflow() noexcept {
  return Error(Errc::limit, ErrorSource::upstream, "circuit breaker");
}

}  // namespace

EndpointConnections::~EndpointConnections() {
  // Whoever runs them lets them end with their last stream.
  for (const auto& held : shared) held->connection.drain();
}

Upstream& Upstream::operator=(Upstream&& other) noexcept {
  if (this == &other) return *this;
  release();
  pool_ = other.pool_;
  home_ = std::move(other.home_);
  http1_ = std::move(other.http1_);
  http2_ = std::move(other.http2_);
  stream_ = std::move(other.stream_);
  return *this;
}

Upstream::~Upstream() {
  release();
}

void Upstream::release() noexcept {
  stream_.reset();
  if (http1_ != nullptr) pool_->give_back(*home_, std::move(http1_));
  http2_.reset();
  home_.reset();
}

UpstreamPool::UpstreamPool(io::Loop& loop, Connector& connector)
    : loop_(loop), connector_(connector) {
  scope_.spawn(reap());
}

UpstreamPool::~UpstreamPool() = default;

coro::Task<Result<Upstream>> UpstreamPool::open(Cluster& cluster, EndpointPtr endpoint,
                                                const http::RequestHead& head, http::End end,
                                                Wire wire, coro::CancelSource* cancel) {
  if (wire == Wire::http1) return open_http1(cluster, std::move(endpoint), head, end, cancel);
  return open_http2(cluster, std::move(endpoint), head, end, cancel);
}

coro::Task<Result<Upstream>> UpstreamPool::open_http1(Cluster& cluster, EndpointPtr endpoint,
                                                      const http::RequestHead& head, http::End end,
                                                      coro::CancelSource* cancel) {
  auto home = connections_of(cluster, *endpoint);
  Upstream upstream;
  upstream.pool_ = this;
  upstream.home_ = home;
  while (!home->idle.empty()) {
    auto held = std::move(home->idle.back());
    home->idle.pop_back();
    const bool usable =
        held->connection.reusable() && !too_old(home->limits, held->opened, loop_.now());
    if (!usable) continue;
    auto stream = held->connection.open(head, end);
    if (!stream) continue;
    upstream.http1_ = std::move(held);
    upstream.stream_ = std::move(*stream);
    co_return std::move(upstream);
  }
  Permit permit = try_permit(cluster.circuit(), home->limits, CircuitKind::connection);
  if (!permit) co_return std::unexpected(overflow());
  CO_TRY(auto bytes, co_await dial(cluster, std::move(endpoint), cancel));
  auto held = std::make_unique<Http1Held>(std::move(bytes), std::move(permit), loop_.now());
  CO_TRY(auto stream, held->connection.open(head, end));
  upstream.http1_ = std::move(held);
  upstream.stream_ = std::move(stream);
  co_return std::move(upstream);
}

coro::Task<Result<Upstream>> UpstreamPool::open_http2(Cluster& cluster, EndpointPtr endpoint,
                                                      const http::RequestHead& head, http::End end,
                                                      coro::CancelSource* cancel) {
  auto home = connections_of(cluster, *endpoint);
  Upstream upstream;
  upstream.pool_ = this;
  upstream.home_ = home;
  for (;;) {
    for (const auto& held : home->shared) {
      const bool usable = held->connection.can_open() &&
                          held->connection.streams() < home->limits.streams_per_connection_max &&
                          !used_up(home->limits, held->requests) &&
                          !too_old(home->limits, held->opened, loop_.now());
      if (!usable) continue;
      auto stream = held->connection.open(head, end);
      if (!stream) continue;
      ++held->requests;
      upstream.http2_ = held;
      upstream.stream_ = std::move(*stream);
      co_return std::move(upstream);
    }
    if (!home->dialling) break;
    coro::WaitList::Place place(home->changed);
    const Status woken = co_await place.event.wait(cancel);
    if (!woken) co_return std::unexpected(woken.error());
  }
  Permit permit = try_permit(cluster.circuit(), home->limits, CircuitKind::connection);
  if (!permit) co_return std::unexpected(overflow());
  home->dialling = true;
  auto bytes = co_await dial(cluster, std::move(endpoint), cancel);
  home->dialling = false;
  home->changed.notify_all();
  if (!bytes) co_return std::unexpected(bytes.error());
  auto held = std::make_shared<Http2Held>(loop_, std::move(*bytes), http2::ClientOptions{},
                                          std::move(permit), loop_.now());
  home->shared.push_back(held);
  scope_.spawn(run_http2(held, home));
  // Only its SETTINGS say whether a server takes upgrades (RFC 8441 section 3).
  if (!head.upgrade.empty()) CO_TRY_VOID(co_await held->connection.settled(cancel));
  CO_TRY(auto stream, held->connection.open(head, end));
  ++held->requests;
  upstream.http2_ = std::move(held);
  upstream.stream_ = std::move(stream);
  co_return std::move(upstream);
}

coro::Task<Result<std::unique_ptr<io::ByteStream>>> UpstreamPool::dial(Cluster& cluster,
                                                                       EndpointPtr endpoint,
                                                                       coro::CancelSource* cancel) {
  // In the clear instead would be what nobody asked for.
  if (cluster.config().tls) co_return std::unexpected(kNoTls);
  const Deadline deadline = loop_.after(cluster.config().limits.connect_timeout);
  std::string service = cluster.config().hostname;
  auto stream =
      co_await connector_.connect(std::move(endpoint), std::move(service), deadline, cancel);
  co_return stream;
}

coro::Task<void> UpstreamPool::run_http2(std::shared_ptr<Http2Held> held,
                                         std::weak_ptr<EndpointConnections> home) {
  co_await held->connection.run(&scope_.cancel_source());
  if (const auto still = home.lock()) std::erase(still->shared, held);
}

std::shared_ptr<EndpointConnections> UpstreamPool::connections_of(Cluster& cluster,
                                                                  Endpoint& endpoint) {
  if (endpoint.connections == nullptr) {
    endpoint.connections = std::make_shared<EndpointConnections>();
    known_.push_back(endpoint.connections);
  }
  endpoint.connections->limits = cluster.config().limits;
  return endpoint.connections;
}

void UpstreamPool::give_back(EndpointConnections& home, std::unique_ptr<Http1Held> held) {
  const bool keep = held->connection.reusable() && !draining_ && home.idle.size() < kIdleMax &&
                    !used_up(home.limits, held->connection.requests());
  if (!keep) return;
  held->idle_since = loop_.now();
  home.idle.push_back(std::move(held));
}

coro::Task<void> UpstreamPool::reap() {
  for (;;) {
    const Status slept =
        co_await io::sleep_until(loop_, loop_.after(kReapInterval), &scope_.cancel_source());
    if (!slept) co_return;
    const MonoTime now = loop_.now();
    std::erase_if(known_, [](const auto& home) { return home.expired(); });
    for (const auto& weak : known_) {
      const auto home = weak.lock();
      std::erase_if(home->idle, [&](const std::unique_ptr<Http1Held>& held) {
        return now - held->idle_since >= home->limits.idle_timeout ||
               too_old(home->limits, held->opened, now) || !held->connection.reusable();
      });
      for (const auto& held : home->shared) {
        if (held->connection.streams() > 0) held->idle_since = now;
        const bool over = now - held->idle_since >= home->limits.idle_timeout ||
                          too_old(home->limits, held->opened, now) ||
                          used_up(home->limits, held->requests);
        if (over) held->connection.drain();
      }
    }
  }
}

void UpstreamPool::drain() {
  draining_ = true;
  for (const auto& weak : known_) {
    const auto home = weak.lock();
    if (home == nullptr) continue;
    home->idle.clear();
    for (const auto& held : home->shared) held->connection.drain();
  }
}

coro::Task<void> UpstreamPool::stop() {
  drain();
  scope_.cancel();
  co_await scope_.join();
}

}  // namespace aquifer::waypoint
