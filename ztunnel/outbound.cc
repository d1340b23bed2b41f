#include "ztunnel/outbound.h"

#include "common/hbone/early_data.h"
#include "common/io/socket_stream.h"
#include "ztunnel/connection.h"
#include "ztunnel/destination_names.h"
#include "ztunnel/early_denial.h"
#include "ztunnel/judge.h"
#include "ztunnel/judge_outbound.h"

#include <utility>

namespace aquifer::ztunnel {
Outbound::Outbound(PodContext& pod)
    : pod_(pod),
      dialer_(pod),
      pool_(pod.worker.loop, dialer_, pod.worker.node.settings.pool),
      short_cuts_(pod),
      connector_(pod, pool_, short_cuts_) {}

coro::Task<void> Outbound::serve(Fd accepted) {
  Worker& worker = pod_.worker;
  telemetry::GaugeHold open_socket(worker.node.traffic.sockets_open(telemetry::Reporter::source));
  auto client = std::make_unique<io::SocketStream>(worker.loop, std::move(accepted));
  const auto from = client->socket().peer_address();
  const auto to = client->socket().original_destination();
  if (!from || !to) co_return;  // gone before it was looked at

  OutboundCall call{.snapshot = worker.snapshot,
                    .source = pod_.pod,
                    .client = from->addr,
                    .wanted = *to,
                    .target = {},
                    .facts = {}};
  auto target = resolve(call);
  if (!target) {
    deny_early(pod_, telemetry::Direction::outbound, from->addr, to->addr, target.error().reason);
    client->abort();
    co_return;
  }
  call.target = std::move(*target);
  call.facts = connector_.facts_of(call);
  call.facts.names = resolved_names(pod_, to->addr.ip);
  if (wants_server_name(*call.snapshot, *call.source, call.facts)) {
    const bool open = co_await learn_server_name(pod_, *client, call.facts);
    if (!open) co_return;  // gone before anything was decided
    // Not listed yet, so nobody told this connection if policies changed while it waited.
    call.snapshot = worker.snapshot;
  }
  auto live = std::make_unique<LiveConnection>(pod_.live, pod_.kinds.of(call.facts), from->addr);
  log_dry_run(*call.snapshot, *call.source, call.facts);
  hbone::EarlyData early(*client);
  hbone::EarlyData* const early_or_none = worker.node.settings.early_data ? &early : nullptr;
  auto upstream = co_await connector_.connect(call, *live, early_or_none);
  if (!upstream) {
    co_await early.give_up();
    client->abort();
    live->refuse(upstream.error());
    co_return;
  }
  live->record().from_client(early.sent());
  // Bytes flow, and this frame is not needed for that.
  LiveConnection::run(std::move(live), std::move(client), std::move(*upstream),
                      std::move(open_socket), early.read_under_way());
}

model::Resolution Outbound::resolve(const OutboundCall& call) {
  Worker& worker = pod_.worker;
  model::ResolveRequest request{call.source, call.wanted, worker.random()};
  request.avoided = &pod_.avoided;
  request.now = worker.loop.now();
  return model::resolve(*call.snapshot, request);
}

}  // namespace aquifer::ztunnel
