// One open connection as others may look at it and end it: a policy that changed, the dump,
// `flows`. Lives in the frame of the function that serves the connection, listed in its pod; on the
// pod's loop.
#pragma once

#include "common/base/time.h"
#include "common/io/copy.h"
#include "common/telemetry/connection_record.h"
#include "ztunnel/connection.h"
#include "ztunnel/judge.h"
#include "ztunnel/pod_flows.h"

#include <cstddef>
#include <memory>

namespace aquifer::ztunnel {

class LiveConnection;

/// The open connections of one pod, newest first.
class LiveConnections {
 public:
  /// `flows` hears of each of them.
  explicit LiveConnections(PodFlows& flows) noexcept : flows_(flows) {}
  LiveConnections(const LiveConnections&) = delete;
  LiveConnections& operator=(const LiveConnections&) = delete;
  ~LiveConnections() { AQUIFER_ASSERT(first_ == nullptr); }

  /// `use(LiveConnection&)` may cut connections; none goes away before the loop's next turn.
  template <typename Use>
  void for_each(Use&& use);
  template <typename Use>
  void for_each(Use&& use) const;
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] const PodFlows& flows() const noexcept { return flows_; }

 private:
  friend class LiveConnection;
  PodFlows& flows_;
  LiveConnection* first_ = nullptr;
  std::size_t size_ = 0;
};

class LiveConnection final : telemetry::EndObserver {
 public:
  /// All three outlive it.
  LiveConnection(LiveConnections& list, const ConnectionFacts& facts,
                 telemetry::ConnectionRecord& record) noexcept;
  ~LiveConnection();
  LiveConnection(const LiveConnection&) = delete;
  LiveConnection& operator=(const LiveConnection&) = delete;

  /// It may not be served: told to the record, and remembered with all that is known of why.
  void refuse(MonoTime now, const Refusal& refusal);
  /// The bytes begin to flow. A connection that was cut before ends at once. `copy` outlives this.
  void attach(io::Copy& copy) noexcept;
  /// Ends it, soon; `reason` (a literal) is what its log line says, `refusal` who is to blame. The
  /// first reason counts.
  void cut(const char* reason, const Refusal& refusal);
  /// Tells the record how the connection ended.
  void finish(io::CopyEnd end, MonoTime now);

  [[nodiscard]] const ConnectionFacts& facts() const noexcept { return facts_; }
  [[nodiscard]] const telemetry::ConnectionRecord& record() const noexcept { return record_; }

  /// Do bytes flow?
  [[nodiscard]] bool is_open() const noexcept { return copy_ != nullptr; }

 private:
  friend class LiveConnections;
  void on_end(telemetry::ResponseFlag flag, const std::string& error) noexcept override;

  LiveConnections& list_;
  const ConnectionFacts& facts_;
  telemetry::ConnectionRecord& record_;
  io::Copy* copy_ = nullptr;
  const char* cut_reason_ = nullptr;
  std::unique_ptr<const Refusal> refusal_;
  bool ended_ = false;
  LiveConnection* next_ = nullptr;
  LiveConnection* previous_ = nullptr;
};

template <typename Use>
void LiveConnections::for_each(Use&& use) {
  for (LiveConnection* at = first_; at != nullptr; at = at->next_) use(*at);
}

template <typename Use>
void LiveConnections::for_each(Use&& use) const {
  for (const LiveConnection* at = first_; at != nullptr; at = at->next_) use(*at);
}

}  // namespace aquifer::ztunnel
