// What a pod costs its node: `aquifer_pod_*`, so that a platform team can say who causes what.
// Resolved once per pod.
#pragma once

#include "common/telemetry/metrics.h"

#include <string_view>

namespace aquifer::telemetry {

/// The series of one pod: numbers of the enum's indices.
struct PodSeries {
  enum Traffic : std::size_t { kOpened, kOpen, kSent, kReceived, kRefused };
  enum Cost : std::size_t { kCpuNanoseconds, kQueuedBytes, kTunnels };
  SeriesPtr traffic;
  SeriesPtr cost;
};

class PodMetrics {
 public:
  explicit PodMetrics(Registry& registry);
  /// Any thread. Two proxies of one pod (it left and came back) add up in one set of series.
  [[nodiscard]] PodSeries resolve(std::string_view ns, std::string_view pod, std::string_view node);

 private:
  MetricGroup& traffic_;
  MetricGroup& cost_;
};

}  // namespace aquifer::telemetry
