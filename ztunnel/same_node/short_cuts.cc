#include "ztunnel/same_node/short_cuts.h"

#include "config/model/same_node.h"
#include "ztunnel/same_node/local_stream.h"
#include "ztunnel/same_node/node_wide.h"
#include "ztunnel/upstream_connect.h"
#include "ztunnel/worker_thread.h"

#include <utility>

namespace aquifer::ztunnel {
namespace {

// The source's end until a stream has it: a call that nobody waits for any more is given up.
class Pending {
 public:
  explicit Pending(HandoverPtr handover) noexcept : handover_(std::move(handover)) {}
  Pending(const Pending&) = delete;
  Pending& operator=(const Pending&) = delete;
  ~Pending() {
    if (handover_ != nullptr) handover_->finish({});
  }
  [[nodiscard]] HandoverPtr take() noexcept { return std::move(handover_); }

 private:
  HandoverPtr handover_;
};

LocalCall call_of(const OutboundCall& call) {
  const model::ResolvedTarget& target = call.target;
  LocalCall result;
  result.client = call.client;
  result.source = call.source;
  result.identity = std::shared_ptr<const SpiffeId>(call.source, &call.source->identity);
  result.expected = target.expected_identities;
  result.tunnel_end = LocalAddr(target.tunnel.addr);
  result.authority = target.authority.addr.to_string();
  if (target.service != nullptr) result.service_host = target.service->hostname;
  return result;
}

}  // namespace

const LocalPod* ShortCuts::find(const model::Workload& workload) const {
  const auto found = pod_.worker.local_pods->find(workload.uid);
  return found == pod_.worker.local_pods->end() ? nullptr : &found->second;
}

telemetry::Transport ShortCuts::transport_to(const model::Workload& source,
                                             const model::ResolvedTarget& target) const {
  using telemetry::Transport;
  if (pod_.worker.node.settings.same_node == SameNodePath::off) return Transport::network;
  if (!model::may_stay_on_node(source, target)) return Transport::network;
  if (find(*target.workload) == nullptr) return Transport::network;
  return proofs_.is_blocked(target.tunnel) ? Transport::network : Transport::same_node;
}

coro::Task<ShortCut> ShortCuts::open(const OutboundCall& call,
                                     const telemetry::ConnectionRecord& record, Deadline deadline) {
  Worker& worker = pod_.worker;
  const TunnelAddr path = call.target.tunnel;
  SameNode& node = worker.node.same_node;
  const bool proven = co_await proofs_.prove(path, call.target.workload->uid, deadline);
  // Looked for after the wait: the pod may have left.
  const LocalPod* there = find(*call.target.workload);
  const bool ours = worker.certs.find(call.source->identity) != nullptr;
  if (!proven || there == nullptr || !ours) {
    node.fallbacks.add();
    co_return std::nullopt;
  }
  auto handover = std::make_shared<Handover>(call_of(call), worker.loop, there->worker->loop());
  Pending pending(handover);
  there->worker->hand_over(there->proxy, handover);
  auto answer = co_await handover->wait_answer(deadline, &pod_.connections.cancel_source());
  if (!answer) co_return ShortCut(std::unexpected(answer.error()));
  if (answer->status == Handover::Answer::kNotHere) {
    node.fallbacks.add();
    co_return std::nullopt;
  }
  if (answer->status != 200) {
    const Error error(Errc::http_status, ErrorSource::upstream, "handing over");
    co_return ShortCut(std::unexpected(error.with_detail(answer->status)));
  }
  node.connections.add();
  LocalStream::Parts parts{.loop = worker.loop,
                           .handover = pending.take(),
                           .record = record,
                           .proofs = proofs_,
                           .path = path,
                           .reports = worker.byte_reports};
  co_return ShortCut(
      std::make_unique<LocalStream>(std::move(parts), std::move(answer->application)));
}

coro::Task<void> ShortCuts::finish() {
  co_await proofs_.finish();
}

}  // namespace aquifer::ztunnel
