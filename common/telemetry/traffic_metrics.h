// The counters of TCP traffic, under the peer's names. One lookup per connection, then plain adds.
#pragma once

#include "common/telemetry/metrics.h"
#include "common/telemetry/traffic_labels.h"

#include <array>

namespace aquifer::telemetry {

/// The counters of one label set; copies count into the same place. Any thread.
class TrafficCounters {
 public:
  TrafficCounters() noexcept = default;

  void opened() noexcept { add(kOpened, 1); }
  void closed() noexcept { add(kClosed, 1); }
  void failed() noexcept { add(kFailed, 1); }
  /// Bytes the client sent. For both reporters "received" is what came from the client.
  void from_client(std::uint64_t bytes) noexcept { add(kReceived, bytes); }
  void to_client(std::uint64_t bytes) noexcept { add(kSent, bytes); }

 private:
  friend class TrafficMetrics;
  enum Index : std::size_t { kOpened, kClosed, kFailed, kReceived, kSent };
  explicit TrafficCounters(SeriesPtr series) noexcept : series_(std::move(series)) {}
  void add(Index index, std::uint64_t n) noexcept {
    if (series_)
      series_->values[index].fetch_add(static_cast<std::int64_t>(n), std::memory_order_relaxed);
  }
  SeriesPtr series_;
};

/// The number that stands for a workload among the owners of series.
[[nodiscard]] std::uint64_t workload_owner(std::string_view ns, std::string_view workload) noexcept;

/// Finds the counters of label sets. Any thread; outlived by its registry.
class TrafficMetrics {
 public:
  explicit TrafficMetrics(Registry& registry);

  [[nodiscard]] TrafficCounters resolve(const TrafficLabels& labels);
  /// The counters of the same labels with another flag, for the end of a connection.
  [[nodiscard]] TrafficCounters with_flag(const TrafficCounters& counters, ResponseFlag flag);
  /// Accepted sockets that are open, of 15001 (source) or of 15006 and 15008 (destination).
  [[nodiscard]] const Gauge& sockets_open(Reporter reporter) const noexcept {
    return sockets_open_[static_cast<std::size_t>(reporter)];
  }

 private:
  MetricGroup& group_;
  std::array<Gauge, 2> sockets_open_;
};

}  // namespace aquifer::telemetry
