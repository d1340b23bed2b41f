// ConnectionKind: what connections that are alike have in common. A pod has thousands of
// connections to few places; who the ends are, what the log and the metrics say of them and which
// series they are counted in is kept once for all of those, and each has only its client's port and
// its own numbers. On the pod's loop; a kind itself is immutable and may go to the log's thread.
#pragma once

#include "common/io/loop.h"
#include "common/telemetry/access_log.h"
#include "common/telemetry/traffic_metrics.h"
#include "ztunnel/connection.h"

#include <cstddef>
#include <memory>
#include <unordered_map>

namespace aquifer::ztunnel {

struct ConnectionKind {
  /// The port of `source_address` is 0: it is each connection's own.
  ConnectionFacts facts;
  /// Views into `facts`.
  telemetry::ConnectionLog log;
  telemetry::TrafficCounters counters;
};
using ConnectionKindPtr = std::shared_ptr<const ConnectionKind>;

/// What `kind` says to the log, kept alive with it.
[[nodiscard]] inline telemetry::ConnectionLogPtr log_of(const ConnectionKindPtr& kind) noexcept {
  return {kind, &kind->log};
}

/// The kinds of one pod's connections. One that no connection has any more is forgotten, a little
/// later, so that a client that dials again and again finds it made.
class ConnectionKinds : io::Timer {
 public:
  /// Both outlive it.
  ConnectionKinds(io::Loop& loop, telemetry::TrafficMetrics& traffic) noexcept
      : Timer(&ConnectionKinds::on_timer), loop_(loop), traffic_(traffic) {}
  ConnectionKinds(const ConnectionKinds&) = delete;
  ConnectionKinds& operator=(const ConnectionKinds&) = delete;

  [[nodiscard]] ConnectionKindPtr of(const ConnectionFacts& facts);

  /// Forgets those that no connection has; comes by itself from time to time.
  void forget_unused() noexcept;

  [[nodiscard]] std::size_t size() const noexcept { return kinds_.size(); }

  /// Kept at once, about 700 bytes each; a pod that speaks with more places than this gains little
  /// by sharing, and further kinds belong to their connections alone.
  static constexpr std::size_t kKindsMax = 1024;
  /// Between two looks for kinds that nobody has. They also hold their series in the metrics, which
  /// are kept for minutes anyway.
  static constexpr std::chrono::seconds kForgetInterval{10};

 private:
  static void on_timer(io::Timer& timer) noexcept;

  io::Loop& loop_;
  telemetry::TrafficMetrics& traffic_;
  std::unordered_multimap<std::size_t, ConnectionKindPtr> kinds_;
};

}  // namespace aquifer::ztunnel
