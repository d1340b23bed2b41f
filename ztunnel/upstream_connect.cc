#include "ztunnel/upstream_connect.h"

#include "common/base/log.h"
#include "common/hbone/forwarded.h"
#include "common/hbone/traceparent.h"
#include "common/io/loop.h"
#include "ztunnel/error_text.h"
#include "ztunnel/host_lookup.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

namespace aquifer::ztunnel {
namespace {

// Endpoints that one connection tries. Where three in a row fail, more are unlikely to help a
// client that has waited so long already.
constexpr std::size_t kTriesMax = 3;
// An endpoint that is silent for so long is left for another, if there is one; the last may take
// what remains of kConnectTimeout. Three seconds are two lost SYNs.
constexpr auto kSilencePatience = std::chrono::seconds(3);
// Two nodes learn of a new pod at slightly different moments: a tunnel that is refused because the
// other node has not begun to listen is dialled again for so long, if there is no other endpoint.
// It is never replaced by plaintext.
constexpr auto kRefusedPatience = std::chrono::seconds(2);
constexpr auto kRefusedPause = std::chrono::milliseconds(50);

// Is the failure the endpoint's, so that another one may do better? What was refused by policy, or
// went wrong on our side, would go the same way elsewhere.
bool is_endpoints_fault(const Error& error) noexcept {
  switch (error.code) {
    case Errc::timed_out:
    case Errc::closed:
    case Errc::end_of_stream:
    case Errc::connection_refused:
    case Errc::connection_reset:
    case Errc::unreachable:
    case Errc::protocol:
    case Errc::tls: return true;
    case Errc::identity: return error.source == ErrorSource::upstream;
    case Errc::http_status: return error.detail != 401 && error.detail != 403;
    default: return false;
  }
}

Refusal failure_of(const Error& error) {
  return {.flag = response_flag(error), .reason = error_text(error), .policy = {}, .detail = {}};
}

// The next target of a call whose endpoints in `tried` failed.
std::optional<model::ResolvedTarget> another(PodContext& pod, const OutboundCall& call,
                                             std::span<const model::EndpointId> tried) {
  if (call.target.endpoint == 0 || call.target.endpoints <= tried.size()) return std::nullopt;
  model::ResolveRequest request{call.source, call.wanted, pod.worker.random()};
  request.tried = tried;
  request.avoided = &pod.avoided;
  request.now = pod.worker.loop.now();
  auto target = model::resolve(*call.snapshot, request);
  if (!target || target->endpoint == 0) return std::nullopt;
  return std::move(*target);
}

}  // namespace

ConnectionFacts outbound_facts(const model::ResolvedTarget& target,
                               const model::WorkloadPtr& source, const SocketAddress& client,
                               const OriginalDst& wanted, telemetry::Transport transport) {
  ConnectionFacts facts;
  facts.direction = telemetry::Direction::outbound;
  facts.source_address = client;
  facts.wanted_address = wanted.addr;
  facts.endpoint_address = target.upstream.addr;
  facts.source.workload = source;
  facts.destination.workload = target.workload;
  facts.service = target.service;
  if (target.path != model::Path::hbone) {
    facts.destination_address = target.upstream.addr;
    return facts;
  }
  facts.transport = transport;
  if (transport == telemetry::Transport::same_node) {
    facts.destination_address = target.upstream.addr;
  } else {
    facts.destination_address = target.tunnel.addr;
    facts.hbone_address = target.authority.addr.to_string();
  }
  // The tunnel is only opened to one of these, with this identity of ours: both are proven once
  // bytes flow.
  facts.source.proven = std::shared_ptr<const SpiffeId>(source, &source->identity);
  if (!target.expected_identities.empty()) {
    const SpiffeId& expected = target.expected_identities.front();
    // A workload's own is kept with it: no copy for each connection.
    if (target.workload != nullptr && target.workload->identity == expected) {
      facts.destination.proven =
          std::shared_ptr<const SpiffeId>(target.workload, &target.workload->identity);
    } else {
      facts.destination.proven = std::make_shared<const SpiffeId>(expected);
    }
  }
  return facts;
}

ConnectionFacts UpstreamConnector::facts_of(const OutboundCall& call) const {
  return outbound_facts(call.target, call.source, call.client, call.wanted,
                        short_cuts_.transport_to(*call.source, call.target));
}

coro::Task<Connected> UpstreamConnector::connect(OutboundCall& call, LiveConnection& live,
                                                 hbone::EarlyData* early) {
  Worker& worker = pod_.worker;
  const Deadline deadline = worker.loop.after(kConnectTimeout);
  std::vector<model::EndpointId> tried;
  for (;;) {
    Refusal failure;
    const Status addressed = co_await find_address(call, live, deadline);
    // Policies are always the newest, for what changed while another endpoint was tried was not
    // asked about this one; where the connection may go stays with its one snapshot.
    const model::SnapshotPtr newest = worker.snapshot;
    const model::WorkloadPtr pod = pod_.pod;
    const auto refusal = judge_outbound(*newest, *pod, call.facts);
    tried.push_back(call.target.endpoint);
    auto next = tried.size() < kTriesMax ? another(pod_, call, tried) : std::nullopt;
    if (!addressed) {
      failure = failure_of(addressed.error());
    } else if (refusal) {
      failure = *refusal;
    } else {
      const Deadline patience =
          next ? deadline.sooner(worker.loop.after(kSilencePatience)) : deadline;
      const auto refusals = next ? Refusals::leave : Refusals::wait;
      // A waypoint may answer for itself, or send the connection elsewhere once it has seen it.
      const bool last = !next && call.target.via == model::Via::nobody;
      auto* const with = last ? early : nullptr;
      auto stream = co_await reach(call, live, patience, refusals, with);
      if (stream) {
        pod_.avoided.succeeded(call.target.endpoint);
        co_return std::move(*stream);
      }
      const Error error = stream.error();
      failure = failure_of(error);
      if (!is_endpoints_fault(error)) co_return std::unexpected(std::move(failure));
      if (call.target.endpoint != 0) pod_.avoided.failed(call.target.endpoint, worker.loop.now());
    }
    if (!next || deadline.expired(worker.loop.now())) co_return std::unexpected(std::move(failure));
    log::debug("ztunnel::outbound", "{} to {}: {}: trying another endpoint (try {})",
               pod_.account.name, call.facts.destination_address.to_string(), failure.reason,
               tried.size() + 1);
    call.target = std::move(*next);
    auto names = std::move(call.facts.names);
    call.facts = facts_of(call);
    call.facts.names = std::move(names);
    live.turn_to(failure.flag, pod_.kinds.of(call.facts));
  }
}

coro::Task<Result<std::unique_ptr<io::ByteStream>>> UpstreamConnector::reach(
    OutboundCall& call, LiveConnection& live, Deadline deadline, Refusals refusals,
    hbone::EarlyData* early) {
  if (call.facts.transport == telemetry::Transport::same_node) {
    auto handed = co_await short_cuts_.open(call, live.record(), deadline);
    if (handed) co_return std::move(*handed);
    auto names = std::move(call.facts.names);
    call.facts = outbound_facts(call.target, call.source, call.client, call.wanted);
    call.facts.names = std::move(names);
    live.turn_to(telemetry::ResponseFlag::connect, pod_.kinds.of(call.facts));
  }
  auto stream = co_await try_endpoint(call, deadline, refusals, early);
  co_return stream;
}

coro::Task<Status> UpstreamConnector::find_address(OutboundCall& call, LiveConnection& live,
                                                   Deadline deadline) {
  if (call.target.unresolved_host.empty()) co_return Status();
  std::string host = call.target.unresolved_host;
  auto ip = co_await look_up_host(pod_, std::move(host), call.wanted.addr.ip, deadline);
  if (!ip) co_return std::unexpected(ip.error());
  call.target.set_resolved(*ip);
  const ConnectionFacts known = outbound_facts(call.target, call.source, call.client, call.wanted);
  call.facts.destination_address = known.destination_address;
  call.facts.endpoint_address = known.endpoint_address;
  call.facts.hbone_address = known.hbone_address;
  live.set_kind(pod_.kinds.of(call.facts));
  co_return Status();
}

coro::Task<Result<std::unique_ptr<io::ByteStream>>> UpstreamConnector::try_endpoint(
    const OutboundCall& call, Deadline deadline, Refusals refusals, hbone::EarlyData* early) {
  io::Loop& loop = pod_.worker.loop;
  const bool wait = refusals == Refusals::wait && call.target.path == model::Path::hbone;
  const Deadline patience = loop.after(wait ? Duration(kRefusedPatience) : Duration::zero());
  for (;;) {
    auto stream = co_await open_stream(call, deadline, early);
    const bool again =
        !stream && stream.error().code == Errc::connection_refused && !patience.expired(loop.now());
    if (!again) co_return stream;
    const Status slept = co_await io::sleep_until(loop, loop.after(kRefusedPause).sooner(deadline),
                                                  &pod_.connections.cancel_source());
    if (!slept) co_return std::unexpected(slept.error());
  }
}

coro::Task<Result<std::unique_ptr<io::ByteStream>>> UpstreamConnector::open_stream(
    const OutboundCall& call, Deadline deadline, hbone::EarlyData* early) {
  const model::ResolvedTarget& target = call.target;
  if (target.path != model::Path::hbone) {
    auto plain = co_await connect_plain(pod_, target.upstream.addr, deadline);
    co_return plain;
  }
  hbone::PoolKey key;
  key.source = call.source->identity;
  key.expected = target.expected_identities;
  std::ranges::sort(key.expected);
  key.destination = target.tunnel;

  hbone::ConnectRequest request;
  request.authority = target.authority.addr.to_string();
  request.baggage = baggage_of(*call.source);
  request.forwarded = hbone::build_forwarded(
      call.client, target.service ? target.service->hostname : std::string());
  request.traceparent = hbone::TraceContext::make(pod_.worker.random).to_string();
  auto stream = co_await pool_.open(std::move(key), std::move(request), deadline,
                                    &pod_.connections.cancel_source(), early);
  if (!stream) co_return std::unexpected(stream.error());
  co_return std::unique_ptr<io::ByteStream>(std::move(*stream));
}

}  // namespace aquifer::ztunnel
