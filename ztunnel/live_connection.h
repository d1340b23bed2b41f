// One open connection as others may look at it and end it: a policy that changed, the dump,
// `flows`. Lives in the frame of the function that serves the connection, listed in its pod; on the
// pod's loop.
#pragma once

#include "common/base/time.h"
#include "common/telemetry/connection_record.h"
#include "ztunnel/connection.h"
#include "ztunnel/copy.h"

#include <cstddef>

namespace aquifer::ztunnel {

class LiveConnection;

/// The open connections of one pod, newest first.
class LiveConnections {
 public:
  LiveConnections() = default;
  LiveConnections(const LiveConnections&) = delete;
  LiveConnections& operator=(const LiveConnections&) = delete;
  ~LiveConnections() { AQUIFER_ASSERT(first_ == nullptr); }

  /// `use(LiveConnection&)` may cut connections; none goes away before the loop's next turn.
  template <typename Use>
  void for_each(Use&& use);
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
  friend class LiveConnection;
  LiveConnection* first_ = nullptr;
  std::size_t size_ = 0;
};

class LiveConnection {
 public:
  /// All three outlive it.
  LiveConnection(LiveConnections& list, const ConnectionFacts& facts,
                 telemetry::ConnectionRecord& record) noexcept;
  ~LiveConnection();
  LiveConnection(const LiveConnection&) = delete;
  LiveConnection& operator=(const LiveConnection&) = delete;

  /// The bytes begin to flow. A connection that was cut before ends at once. `copy` outlives this.
  void attach(Copy& copy) noexcept;
  /// Ends it, soon; `reason` (a literal) is what its log line says. The first reason counts.
  void cut(const char* reason) noexcept;
  /// Tells the record how the connection ended.
  void finish(CopyEnd end, MonoTime now);

  [[nodiscard]] const ConnectionFacts& facts() const noexcept { return facts_; }
  [[nodiscard]] const telemetry::ConnectionRecord& record() const noexcept { return record_; }

 private:
  friend class LiveConnections;
  LiveConnections& list_;
  const ConnectionFacts& facts_;
  telemetry::ConnectionRecord& record_;
  Copy* copy_ = nullptr;
  const char* cut_reason_ = nullptr;
  LiveConnection* next_ = nullptr;
  LiveConnection* previous_ = nullptr;
};

template <typename Use>
void LiveConnections::for_each(Use&& use) {
  for (LiveConnection* at = first_; at != nullptr; at = at->next_) use(*at);
}

}  // namespace aquifer::ztunnel
