#include "common/telemetry/traffic_metrics.h"

#include <functional>

namespace aquifer::telemetry {
namespace {

// A label set takes about 1.4 KiB and is printed in up to five metrics: at this bound 14 MiB stay
// resident and a scrape is about 40 MiB. A node of 100 pods with 20 neighbours each uses half of
// it.
constexpr std::size_t kTrafficSeriesMax = 10'000;

std::string overflow_labels() {
  constexpr auto* kOther = "other";
  TrafficParty other{.workload = kOther,
                     .canonical_service = kOther,
                     .canonical_revision = kOther,
                     .workload_namespace = kOther,
                     .principal = kOther,
                     .app = kOther,
                     .version = kOther,
                     .cluster = kOther};
  return render_labels(TrafficLabels{.source = other,
                                     .destination_service = kOther,
                                     .destination_service_namespace = kOther,
                                     .destination_service_name = kOther,
                                     .destination = other,
                                     .locality = {}});
}

}  // namespace

TrafficMetrics::TrafficMetrics(Registry& registry)
    : group_(registry.group(
          {{.name = "istio_tcp_connections_opened", .help = "TCP connections opened."},
           {.name = "istio_tcp_connections_closed",
            .help = "TCP connections ended, for any reason."},
           {.name = "istio_tcp_connections_failed", .help = "TCP connections ended by an error."},
           {.name = "istio_tcp_received_bytes", .help = "Bytes received from clients."},
           {.name = "istio_tcp_sent_bytes", .help = "Bytes sent to clients."}},
          overflow_labels(), {.series_max = kTrafficSeriesMax, .zeros = Zeros::leave_out})) {
  for (Reporter reporter : {Reporter::source, Reporter::destination}) {
    sockets_open_[static_cast<std::size_t>(reporter)] =
        registry.gauge("istio_tcp_sockets_open", "Accepted TCP sockets that are open.",
                       {{"reporter", name_of(reporter)}});
  }
}

std::uint64_t workload_owner(std::string_view ns, std::string_view workload) noexcept {
  if (workload.empty()) return 0;
  const std::size_t name = std::hash<std::string_view>()(workload);
  // Two that meet keep each other's series a little longer, nothing else.
  const std::uint64_t both = name * 31 + std::hash<std::string_view>()(ns);
  return both == 0 ? 1 : both;
}

TrafficCounters TrafficMetrics::resolve(const TrafficLabels& labels) {
  const SeriesOwners owners{
      workload_owner(labels.source.workload_namespace, labels.source.workload),
      workload_owner(labels.destination.workload_namespace, labels.destination.workload)};
  return TrafficCounters(group_.series(render_labels(labels), owners));
}

TrafficCounters TrafficMetrics::with_flag(const TrafficCounters& counters, ResponseFlag flag) {
  if (!counters.series_) return counters;
  return TrafficCounters(group_.series(telemetry::with_flag(counters.series_->labels, flag),
                                       counters.series_->owners));
}

}  // namespace aquifer::telemetry
