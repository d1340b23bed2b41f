// The DNS proxy's metrics, with the names and labels of Istio's ztunnel. One for the process, any
// thread; a pod resolves its series once per query type.
#pragma once

#include "common/telemetry/histogram.h"
#include "common/telemetry/metrics.h"
#include "ztunnel/dns/message.h"
#include "ztunnel/dns/upstream.h"

#include <map>
#include <string_view>
#include <utility>

namespace aquifer::ztunnel::dns {

/// What is counted about queries of one kind from one workload.
struct QueryMetrics {
  telemetry::Counter requests;
  telemetry::Counter upstream_requests;
  telemetry::Counter upstream_failures;
  telemetry::Histogram upstream_duration;
};

/// Whose queries they are.
struct QuerySource {
  std::string_view canonical_service;
  std::string_view canonical_revision;
  friend bool operator==(const QuerySource&, const QuerySource&) = default;
};

class Metrics {
 public:
  explicit Metrics(telemetry::Registry& registry);

  [[nodiscard]] QueryMetrics find(RecordType type, Transport transport, const QuerySource& source);

 private:
  telemetry::MetricGroup& counters_;
  telemetry::HistogramGroup durations_;
};

/// One pod's handles: the labels are put together once per kind of query.
class PodMetrics {
 public:
  explicit PodMetrics(Metrics& metrics) noexcept : metrics_(metrics) {}
  [[nodiscard]] QueryMetrics& of(RecordType type, Transport transport, const QuerySource& source);

 private:
  Metrics& metrics_;
  std::string service_;
  std::string revision_;
  // By the type's name: types without one share theirs, so there are some 40 at most.
  std::map<std::pair<std::string_view, Transport>, QueryMetrics> known_;
};

}  // namespace aquifer::ztunnel::dns
