#include "ztunnel/same_node/arrival.h"

#include "common/coro/cancel_link.h"
#include "common/hbone/forwarded.h"
#include "config/model/resolve.h"
#include "ztunnel/early_denial.h"
#include "ztunnel/error_text.h"
#include "ztunnel/judge.h"

#include <algorithm>
#include <utility>

namespace aquifer::ztunnel {
namespace {

using telemetry::Direction;

// What a tunnel's two certificates would have shown: that this pod's proxy has one, for an identity
// that the source expects.
bool may_answer(const PodContext& pod, const LocalCall& call) {
  const SpiffeId& identity = pod.pod->identity;
  if (pod.worker.certs.find(identity) == nullptr) return false;
  return std::ranges::find(call.expected, identity) != call.expected.end();
}

ConnectionFacts facts_of(const model::Snapshot& snapshot, const model::WorkloadPtr& local,
                         const LocalCall& call, const model::InboundTarget& target) {
  ConnectionFacts facts;
  facts.direction = Direction::inbound;
  facts.transport = telemetry::Transport::same_node;
  facts.source_address = call.client;
  facts.destination_address = target.upstream.addr;
  facts.wanted_address = target.upstream.addr;
  facts.source = End{call.source, call.identity};
  facts.destination = End{local, std::shared_ptr<const SpiffeId>(local, &local->identity)};
  facts.service = target.service;
  if (facts.service == nullptr && !call.service_host.empty())
    facts.service = model::claimed_service(snapshot, *local, call.service_host);
  return facts;
}

// The source's loop copies; here is only who ends it.
coro::Task<void> wait_for_end(PodContext& pod, Handover& handover, LiveConnection& live) {
  coro::Scope ending;
  const coro::CancelLink link(pod.connections.cancel_source(), ending);
  live.run_elsewhere(ending.cancel_source());
  coro::CancelSource* cancel = &ending.cancel_source();
  LocalBytes told;
  for (;;) {
    const LocalBytes now = handover.bytes();
    if (now.from_client > told.from_client)
      live.record().from_client(now.from_client - told.from_client);
    if (now.to_client > told.to_client) live.record().to_client(now.to_client - told.to_client);
    told = now;
    if (handover.over()) co_return;
    const Status woken = co_await handover.changed().wait(cancel);
    if (woken) continue;
    // Cut from here. The source's end comes as an answer.
    handover.cut();
    cancel = nullptr;
  }
}

}  // namespace

coro::Task<void> serve_handover(PodContext& pod, HandoverPtr handover) {
  Worker& worker = pod.worker;
  worker.loop.ready().meter().work_for(&pod.meter.share());
  const LocalCall& call = handover->call;
  // Before the context is known: a refusal is one short line.
  const model::SnapshotPtr snapshot = worker.snapshot;
  const model::WorkloadPtr local = pod.pod;
  if (!may_answer(pod, call)) {
    handover->answer(Handover::Answer::kNotHere);
    co_return;
  }
  const model::InboundRequest wanted{local, call.tunnel_end, call.authority};
  const auto target = model::resolve_inbound(*snapshot, wanted);
  if (!target) {
    handover->answer(target.error().status);
    deny_early(pod, Direction::inbound, call.client, call.tunnel_end.addr, target.error().reason);
    co_return;
  }
  const ConnectionFacts facts = facts_of(*snapshot, local, call, *target);
  LiveConnection live(pod.live, pod.kinds.of(facts), facts.source_address);

  // Before the answer: a failure is a status.
  if (const auto refusal = admit_inbound(worker, *snapshot, *local, facts)) {
    handover->answer(401);
    live.refuse(*refusal);
    co_return;
  }
  auto application = co_await connect_socket(pod, target->upstream.addr,
                                             worker.loop.after(kConnectTimeout), call.client.ip);
  if (!application) {
    handover->answer(503);
    live.fail(response_flag(application.error()), error_text(application.error()));
    co_return;
  }
  if (handover->over()) {
    (*application)->abort();
    live.succeed();  // the client went away first
    co_return;
  }
  handover->answer(200, (*application)->socket().take_fd());
  application->reset();

  // After it: bytes, and how they ended.
  co_await wait_for_end(pod, *handover, live);
  const bool drained = pod.connections.cancel_source().cancelled();
  live.finish(drained ? io::CopyEnd::cancelled : io::CopyEnd::complete);
}

}  // namespace aquifer::ztunnel
