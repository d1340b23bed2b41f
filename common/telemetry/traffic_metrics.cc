#include "common/telemetry/traffic_metrics.h"

namespace aquifer::telemetry {
namespace {

// A label set takes about 1.2 KiB and is printed in up to five metrics: at this bound 5 MiB stay
// resident and a scrape is about 20 MiB. A node of 100 pods with 20 neighbours each uses half of
// it.
constexpr std::size_t kTrafficSeriesMax = 4'096;

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

TrafficCounters TrafficMetrics::resolve(const TrafficLabels& labels) {
  return TrafficCounters(group_.series(render_labels(labels)));
}

TrafficCounters TrafficMetrics::with_flag(const TrafficCounters& counters, ResponseFlag flag) {
  if (!counters.series_) return counters;
  return TrafficCounters(group_.series(telemetry::with_flag(counters.series_->labels, flag)));
}

}  // namespace aquifer::telemetry
