#include "ztunnel/dns/dns_metrics.h"

#include <string>
#include <vector>

namespace aquifer::ztunnel::dns {
namespace {

constexpr std::string_view kOverflow = "other";
// A series for each of some types of each workload of this node.
constexpr std::size_t kSeriesMax = 2'000;

std::string labels(std::string_view type, std::string_view transport, const QuerySource& source) {
  const auto or_unknown = [](std::string_view value) {
    return value.empty() ? std::string_view("unknown") : value;
  };
  return telemetry::render_labels(
      {{"request_query_type", type},
       {"request_protocol", transport},
       {"source_canonical_service", or_unknown(source.canonical_service)},
       {"source_canonical_revision", or_unknown(source.canonical_revision)}});
}

std::string overflow_labels() {
  return labels(kOverflow, kOverflow, {kOverflow, kOverflow});
}

std::vector<telemetry::MetricInfo> counter_infos() {
  return {{.name = "istio_dns_requests", .help = "DNS queries of captured pods."},
          {.name = "istio_dns_upstream_requests",
           .help = "DNS queries of captured pods that were forwarded."},
          {.name = "istio_dns_upstream_failures",
           .help = "Forwarded DNS queries that no server answered."}};
}

telemetry::HistogramGroup::Info duration_info() {
  telemetry::HistogramGroup::Info info;
  info.name = "istio_dns_upstream_request_duration_seconds";
  info.help = "How long forwarded DNS queries took.";
  info.bounds_seconds = {.0005, .001, .01, .1, 1, 5};
  info.overflow_labels = overflow_labels();
  info.series_max = kSeriesMax;
  return info;
}

}  // namespace

Metrics::Metrics(telemetry::Registry& registry)
    : counters_(registry.group(counter_infos(), overflow_labels(),
                               {.series_max = kSeriesMax, .zeros = telemetry::Zeros::leave_out})),
      durations_(duration_info()) {
  registry.add_renderer([this](std::string& out, MonoTime now) { durations_.render(out, now); });
}

QueryMetrics Metrics::find(RecordType type, Transport transport, const QuerySource& source) {
  const std::string printed = labels(name_of(type), name_of(transport), source);
  const telemetry::SeriesPtr series = counters_.series(printed);
  QueryMetrics metrics;
  metrics.requests = telemetry::Counter(series, 0);
  metrics.upstream_requests = telemetry::Counter(series, 1);
  metrics.upstream_failures = telemetry::Counter(series, 2);
  metrics.upstream_duration = durations_.with(printed);
  return metrics;
}

QueryMetrics& PodMetrics::of(RecordType type, Transport transport, const QuerySource& source) {
  if (service_ != source.canonical_service || revision_ != source.canonical_revision) {
    known_.clear();
    service_ = source.canonical_service;
    revision_ = source.canonical_revision;
  }
  const std::pair key(name_of(type), transport);
  const auto found = known_.find(key);
  if (found != known_.end()) return found->second;
  return known_.emplace(key, metrics_.find(type, transport, source)).first->second;
}

}  // namespace aquifer::ztunnel::dns
