// What is told of requests and connections at their end: metrics under Istio's names, and the
// access log. Any thread.
#pragma once

#include "common/telemetry/histogram_set.h"
#include "common/telemetry/metrics.h"
#include "waypoint/request_record.h"
#include "waypoint/series_cache.h"

#include <cstddef>
#include <cstdint>

namespace aquifer::waypoint {

struct Worker;

/// The counters of a connection that is passed through, while it is open.
class ConnectionCounters {
 public:
  ConnectionCounters() noexcept = default;
  void from_client(std::uint64_t bytes) noexcept { add(kReceived, bytes); }
  void to_client(std::uint64_t bytes) noexcept { add(kSent, bytes); }

 private:
  friend class RequestMetrics;
  enum Index : std::size_t { kOpened, kClosed, kFailed, kReceived, kSent };
  explicit ConnectionCounters(telemetry::SeriesPtr series) noexcept : series_(std::move(series)) {}
  void add(Index index, std::uint64_t n) noexcept {
    if (series_ != nullptr)
      series_->values[index].fetch_add(static_cast<std::int64_t>(n), std::memory_order_relaxed);
  }
  telemetry::SeriesPtr series_;
};

class RequestMetrics {
 public:
  explicit RequestMetrics(telemetry::Registry& registry);

  /// The end of an HTTP request; the record is used up.
  void finish(Worker& worker, RequestRecord&& record);

  /// A connection that is passed through has reached its endpoint.
  [[nodiscard]] ConnectionCounters opened(const RequestRecord& record);
  /// Its end; with counters that opened() did not give it never reached one.
  void finish_tcp(Worker& worker, ConnectionCounters& counters, RequestRecord&& record);

  /// A request is served by another loop than its client's.
  void moved() noexcept { moved_.add(); }

 private:
  [[nodiscard]] RequestSeries series_of(const RequestRecord& record);

  telemetry::MetricGroup& requests_;
  telemetry::MetricGroup& connections_;
  telemetry::HistogramSet histograms_;
  telemetry::Counter moved_;
  telemetry::Counter retries_;
  telemetry::Counter overflows_;
};

}  // namespace aquifer::waypoint
