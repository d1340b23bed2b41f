#include "ztunnel/pod_flows.h"

#include <utility>

namespace aquifer::ztunnel {

void add_record(FlowEvent& event, const telemetry::ConnectionRecord& record, MonoTime now) {
  event.facts.source_address = record.client();
  event.bytes_sent = record.bytes_from_client();
  event.bytes_received = record.bytes_to_client();
  // The pod is the server: what goes to the client is what it sent.
  if (event.facts.direction == telemetry::Direction::inbound)
    std::swap(event.bytes_sent, event.bytes_received);
  event.age = now - record.opened_at();
}

FlowEvent PodFlows::event(FlowKind kind, const ConnectionFacts& facts) const {
  FlowEvent made;
  made.kind = kind;
  made.at = std::chrono::system_clock::now();
  made.facts = facts;
  return made;
}

FlowEvent PodFlows::event(FlowKind kind, const ConnectionFacts& facts,
                          const telemetry::ConnectionRecord& record) const {
  FlowEvent made = event(kind, facts);
  add_record(made, record, loop_.now());
  return made;
}

void PodFlows::opened(const ConnectionFacts& facts, const telemetry::ConnectionRecord& record) {
  if (journal_.followed()) journal_.add(event(FlowKind::opened, facts, record));
}

void PodFlows::ended(FlowKind kind, const ConnectionFacts& facts,
                     const telemetry::ConnectionRecord& record, const std::string& reason) {
  if (!journal_.followed()) return;
  FlowEvent made = event(kind, facts, record);
  made.reason = reason;
  journal_.add(std::move(made));
}

void PodFlows::denied(FlowKind kind, const ConnectionFacts& facts,
                      const telemetry::ConnectionRecord& record, const Refusal& refusal) {
  FlowEvent made = event(kind, facts, record);
  made.verdict = Verdict::denied;
  made.reason = refusal.reason;
  made.policy = refusal.policy;
  made.detail = refusal.detail;
  remember(made);
  if (journal_.followed()) journal_.add(std::move(made));
}

void PodFlows::turned_away(ConnectionFacts facts, std::string reason) {
  FlowEvent made = event(FlowKind::refused, facts);
  made.verdict = Verdict::denied;
  made.reason = std::move(reason);
  remember(made);
  if (journal_.followed()) journal_.add(std::move(made));
}

void PodFlows::remember(const FlowEvent& event) {
  ++counts.refused;
  if (refusals_.size() < kRefusalsMax) {
    refusals_.push_back(event);
    return;
  }
  refusals_[oldest_] = event;
  oldest_ = (oldest_ + 1) % kRefusalsMax;
}

std::vector<FlowEvent> PodFlows::refusals() const {
  std::vector<FlowEvent> result;
  result.reserve(refusals_.size());
  for (std::size_t i = 0; i < refusals_.size(); ++i)
    result.push_back(refusals_[(oldest_ + i) % refusals_.size()]);
  return result;
}

}  // namespace aquifer::ztunnel
