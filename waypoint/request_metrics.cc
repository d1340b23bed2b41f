#include "waypoint/request_metrics.h"

#include "waypoint/request_labels.h"
#include "waypoint/request_log.h"
#include "waypoint/worker.h"

#include <algorithm>
#include <utility>

namespace aquifer::waypoint {
namespace {

// A label set takes about 1.4 KiB, its histograms half a KiB, and sixty lines of a scrape: at this
// bound 10 MiB stay resident. The scrape is made in pieces.
constexpr std::size_t kRequestSeriesMax = 5'000;
constexpr std::size_t kConnectionSeriesMax = 5'000;

enum RequestCounter : std::size_t { kRequests, kRequestMessages, kResponseMessages };
enum RequestHistogram : std::size_t { kDuration, kRequestBytes, kResponseBytes };

void add(telemetry::Series& series, RequestCounter counter, std::uint64_t n) noexcept {
  series.values[counter].fetch_add(static_cast<std::int64_t>(n), std::memory_order_relaxed);
}

void tell_pages(Worker& worker, const RequestRecord& record) {
  const bool refused = !record.refusal.empty();
  if (!refused && !worker.journal.followed()) return;
  const bool request = record.what == RecordOf::request;
  SeenRequest seen = see(record, request ? &record.head : nullptr, worker.loop.now());
  seen.event = end_of(record);
  seen.worker = worker.index;
  if (worker.journal.followed()) worker.journal.add(seen);
  if (refused) worker.refusals.add(std::move(seen));
}

}  // namespace

RequestMetrics::RequestMetrics(telemetry::Registry& registry)
    : requests_(registry.group(
          {{.name = "istio_requests", .help = "Requests that were served."},
           {.name = "istio_request_messages", .help = "gRPC messages received from clients."},
           {.name = "istio_response_messages", .help = "gRPC messages sent to clients."}},
          overflow_labels(),
          {.series_max = kRequestSeriesMax, .zeros = telemetry::Zeros::leave_out})),
      connections_(registry.group(
          {{.name = "istio_tcp_connections_opened", .help = "TCP connections opened."},
           {.name = "istio_tcp_connections_closed",
            .help = "TCP connections ended, for any reason."},
           {.name = "istio_tcp_connections_failed", .help = "TCP connections ended by an error."},
           {.name = "istio_tcp_received_bytes", .help = "Bytes received from clients."},
           {.name = "istio_tcp_sent_bytes", .help = "Bytes sent to clients."}},
          overflow_labels(),
          {.series_max = kConnectionSeriesMax, .zeros = telemetry::Zeros::leave_out})),
      histograms_({{.name = "istio_request_duration_milliseconds",
                    .help = "From a request's head to the last byte of its answer.",
                    .per_unit = 1'000'000},
                   {.name = "istio_request_bytes", .help = "Sizes of request bodies."},
                   {.name = "istio_response_bytes", .help = "Sizes of response bodies."}},
                  telemetry::HistogramSet::envoy_bounds()) {
  histograms_.add_to(registry);
  moved_ = registry.counter("aquifer_waypoint_requests_moved",
                            "Requests served by another loop than their client's.");
  retries_ = registry.counter("aquifer_waypoint_retries", "Further tries of requests.");
  overflows_ = registry.counter("aquifer_waypoint_circuit_overflows",
                                "Requests that an open circuit refused.");
}

RequestSeries RequestMetrics::series_of(const RequestRecord& record) {
  RequestSeries series;
  series.counters = requests_.series(request_labels(record), owners_of(record));
  series.histograms = histograms_.of(series.counters);
  return series;
}

void RequestMetrics::finish(Worker& worker, RequestRecord&& record) {
  const Duration took = worker.loop.now() - record.started;
  const RequestSeries& series = worker.series.find(
      record, [this](const RequestRecord& unknown) { return series_of(unknown); });
  add(*series.counters, kRequests, 1);
  if (record.grpc) {
    add(*series.counters, kRequestMessages, record.request_messages);
    add(*series.counters, kResponseMessages, record.response_messages);
  }
  const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(took).count();
  telemetry::HistogramCells& cells = *series.histograms;
  histograms_.observe(cells, kDuration, static_cast<std::uint64_t>(std::max<std::int64_t>(ns, 0)));
  histograms_.observe(cells, kRequestBytes, record.bytes_received);
  histograms_.observe(cells, kResponseBytes, record.bytes_sent);
  if (record.tries > 1) retries_.add(record.tries - 1);
  if (record.flags.has(Flag::upstream_overflow)) overflows_.add();
  tell_pages(worker, record);
  log_request(std::move(record), took);
}

ConnectionCounters RequestMetrics::opened(const RequestRecord& record) {
  ConnectionCounters counters(connections_.series(connection_labels(record), owners_of(record)));
  counters.add(ConnectionCounters::kOpened, 1);
  return counters;
}

void RequestMetrics::finish_tcp(Worker& worker, ConnectionCounters& counters,
                                RequestRecord&& record) {
  const Duration took = worker.loop.now() - record.started;
  const bool was_open = counters.series_ != nullptr;
  if (!was_open || record.flags.bits() != 0) {
    counters =
        ConnectionCounters(connections_.series(connection_labels(record), owners_of(record)));
    if (!was_open) counters.add(ConnectionCounters::kOpened, 1);
    counters.add(ConnectionCounters::kFailed, 1);
  }
  counters.add(ConnectionCounters::kClosed, 1);
  if (record.flags.has(Flag::upstream_overflow)) overflows_.add();
  tell_pages(worker, record);
  log_request(std::move(record), took);
}

}  // namespace aquifer::waypoint
