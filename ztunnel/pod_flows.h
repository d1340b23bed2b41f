// PodFlows: what one pod's connections did. Counts for its cost, its last refusals for whoever asks
// why, and events for the journal. On the pod's loop.
#pragma once

#include "common/telemetry/connection_record.h"
#include "ztunnel/flow_event.h"
#include "ztunnel/flow_journal.h"
#include "ztunnel/judge.h"

#include <cstdint>
#include <string>
#include <vector>

namespace aquifer::ztunnel {

class PodFlows {
 public:
  PodFlows(io::Loop& loop, FlowJournal& journal) noexcept : loop_(loop), journal_(journal) {}
  PodFlows(const PodFlows&) = delete;
  PodFlows& operator=(const PodFlows&) = delete;

  /// A connection's other end was reached.
  void opened(const ConnectionFacts& facts, const telemetry::ConnectionRecord& record);
  /// It ended, well or by `reason`.
  void ended(FlowKind kind, const ConnectionFacts& facts, const telemetry::ConnectionRecord& record,
             const std::string& reason);
  /// It was not allowed. `kind` is `ended` for one that was open when a policy changed.
  void denied(FlowKind kind, const ConnectionFacts& facts,
              const telemetry::ConnectionRecord& record, const Refusal& refusal);
  /// It was turned away before anything but its addresses was known.
  void turned_away(ConnectionFacts facts, std::string reason);

  /// The last ones, oldest first.
  [[nodiscard]] std::vector<FlowEvent> refusals() const;
  /// Of one pod: enough to see a pattern, and little enough (about 16 KiB) that every pod may have
  /// it.
  static constexpr std::size_t kRefusalsMax = 32;

  struct Counts {
    std::uint64_t opened = 0;  ///< connections whose context became known
    std::uint64_t refused = 0;
    telemetry::PodBytes bytes;
  };
  Counts counts;

 private:
  void remember(const FlowEvent& event);
  [[nodiscard]] FlowEvent event(FlowKind kind, const ConnectionFacts& facts) const;
  [[nodiscard]] FlowEvent event(FlowKind kind, const ConnectionFacts& facts,
                                const telemetry::ConnectionRecord& record) const;

  io::Loop& loop_;
  FlowJournal& journal_;
  std::vector<FlowEvent> refusals_;  // a ring once it is full
  std::size_t oldest_ = 0;
};

/// What a connection's own record knows: its client's port, its age, and its bytes as its pod sees
/// them: what it sent, and what it received.
void add_record(FlowEvent& event, const telemetry::ConnectionRecord& record, MonoTime now);

}  // namespace aquifer::ztunnel
