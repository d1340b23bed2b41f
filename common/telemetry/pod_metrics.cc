#include "common/telemetry/pod_metrics.h"

#include "common/telemetry/process_metrics.h"

namespace aquifer::telemetry {
namespace {

// The kubelet's default is 110 pods a node, the most that are run are about 500; pods that left
// stay for a while.
constexpr std::size_t kPodSeriesMax = 2'000;

std::string labels_of(std::string_view ns, std::string_view pod, std::string_view node) {
  return render_labels({{"namespace", ns}, {"pod", pod}, {"node", node}});
}

}  // namespace

PodMetrics::PodMetrics(Registry& registry)
    : traffic_(registry.group(
          {{.name = "aquifer_pod_connections_opened",
            .help = "Connections of the pod, from it and to it."},
           {.name = "aquifer_pod_connections_open",
            .help = "Those that are open.",
            .kind = MetricKind::gauge},
           {.name = "aquifer_pod_sent_bytes", .help = "Bytes that the pod sent on them."},
           {.name = "aquifer_pod_received_bytes", .help = "Bytes that it received on them."},
           {.name = "aquifer_pod_connections_refused",
            .help = "Connections from it or to it that were not allowed."}},
          labels_of("other", "other", "other"), {.series_max = kPodSeriesMax})),
      cost_(registry.group(
          {{.name = "aquifer_pod_cpu_seconds",
            .help = "CPU time of the node's proxy that the pod caused.",
            .per_unit = kNanosecondsPerSecond},
           {.name = "aquifer_pod_queued_bytes",
            .help = "Bytes received for the pod's applications and not yet read by them.",
            .kind = MetricKind::gauge},
           {.name = "aquifer_pod_tunnels",
            .help = "Tunnels from it and to it that are up.",
            .kind = MetricKind::gauge}},
          labels_of("other", "other", "other"), {.series_max = kPodSeriesMax})) {}

PodSeries PodMetrics::resolve(std::string_view ns, std::string_view pod, std::string_view node) {
  const std::string labels = labels_of(ns, pod, node);
  return {traffic_.series(labels), cost_.series(labels)};
}

}  // namespace aquifer::telemetry
