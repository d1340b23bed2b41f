#include "ztunnel/outbound.h"

#include "common/hbone/forwarded.h"
#include "common/hbone/traceparent.h"
#include "common/io/socket_stream.h"
#include "common/telemetry/access_log.h"
#include "ztunnel/connection.h"
#include "ztunnel/copy.h"
#include "ztunnel/error_text.h"
#include "ztunnel/judge.h"

#include <algorithm>

namespace aquifer::ztunnel {
namespace {

using telemetry::Direction;

ConnectionFacts facts_of(const model::ResolvedTarget& target, const model::WorkloadPtr& source,
                         const SocketAddress& client, const OriginalDst& wanted) {
  ConnectionFacts facts;
  facts.direction = Direction::outbound;
  facts.source_address = client;
  facts.wanted_address = wanted.addr;
  facts.source.workload = source;
  facts.destination.workload = target.workload;
  facts.service = target.service;
  if (target.path != model::Path::hbone) {
    facts.destination_address = target.upstream.addr;
    return facts;
  }
  facts.destination_address = target.tunnel.addr;
  facts.hbone_address = target.authority.addr.to_string();
  // The tunnel is only opened to one of these, with this identity of ours: both are proven once
  // bytes flow.
  facts.source.proven = std::make_shared<const SpiffeId>(source->identity);
  if (!target.expected_identities.empty()) {
    facts.destination.proven = std::make_shared<const SpiffeId>(target.expected_identities.front());
  }
  return facts;
}

}  // namespace

Outbound::Outbound(PodContext& pod)
    : pod_(pod), dialer_(pod), pool_(pod.worker.loop, dialer_, pod.worker.node.settings.pool) {}

coro::Task<void> Outbound::serve(Fd accepted) {
  Worker& worker = pod_.worker;
  const telemetry::GaugeHold open_socket(
      worker.node.traffic.sockets_open(telemetry::Reporter::source));
  io::SocketStream client(worker.loop, std::move(accepted));
  tune_socket(client.socket().fd(), worker.node.settings);
  const auto from = client.socket().peer_address();
  const auto to = client.socket().original_destination();
  if (!from || !to) co_return;  // gone before it was looked at

  const model::SnapshotPtr snapshot = worker.snapshot;
  const model::WorkloadPtr source = pod_.pod;
  const model::ResolveRequest request{source, *to, worker.random()};
  const auto target = model::resolve(*snapshot, request);
  if (!target) {
    telemetry::log_early_denial(Direction::outbound, from->addr, to->addr,
                                model::describe_resolve_error(target.error(), *to));
    client.abort();
    co_return;
  }

  const ConnectionFacts facts = facts_of(*target, source, from->addr, *to);
  auto record = open_record(worker, facts);
  LiveConnection live(pod_.live, facts, record);
  if (const auto refusal = judge_outbound(*snapshot, *source, facts)) {
    client.abort();
    record.fail(worker.loop.now(), refusal->flag, refusal->reason);
    co_return;
  }
  auto upstream = co_await connect(*target, from->addr, *source);
  if (!upstream) {
    client.abort();
    record.fail(worker.loop.now(), response_flag(upstream.error()), error_text(upstream.error()));
    co_return;
  }
  Copy copy(client, **upstream, record);
  live.attach(copy);
  const CopyEnd end = co_await copy.run(pod_.connections.cancel_source());
  live.finish(end, worker.loop.now());
}

coro::Task<Result<std::unique_ptr<io::ByteStream>>> Outbound::connect(
    const model::ResolvedTarget& target, const SocketAddress& client,
    const model::Workload& source) {
  if (target.path != model::Path::hbone) {
    auto plain = co_await connect_plain(pod_, target.upstream.addr, std::nullopt);
    co_return plain;
  }
  hbone::PoolKey key;
  key.source = source.identity;
  key.expected = target.expected_identities;
  std::ranges::sort(key.expected);
  key.destination = target.tunnel;

  hbone::ConnectRequest request;
  request.authority = target.authority.addr.to_string();
  request.baggage = baggage_of(source);
  request.forwarded =
      hbone::build_forwarded(client, target.service ? target.service->hostname : std::string());
  request.traceparent = hbone::TraceContext::make(pod_.worker.random).to_string();

  const Deadline deadline = pod_.worker.loop.after(kConnectTimeout);
  auto stream = co_await pool_.open(std::move(key), std::move(request), deadline,
                                    &pod_.connections.cancel_source());
  if (!stream) co_return std::unexpected(stream.error());
  co_return std::unique_ptr<io::ByteStream>(std::move(*stream));
}

}  // namespace aquifer::ztunnel
