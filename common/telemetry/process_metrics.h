// What the process uses: descriptors and memory, read at each scrape. And which build it is.
#pragma once

#include "common/telemetry/metrics.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

namespace aquifer::telemetry {

/// MetricInfo::per_unit of times that are counted in nanoseconds and told in seconds.
inline constexpr std::int64_t kNanosecondsPerSecond = 1'000'000'000;

/// process_open_fds, process_max_fds, process_resident_memory_bytes,
/// aquifer_process_anonymous_memory_bytes, aquifer_log_lines_dropped_total.
void observe_process(Registry& registry);

/// aquifer_worker_cpu_seconds_total{worker}: `nanoseconds` of a worker so far, read at each scrape.
void observe_worker_cpu(Registry& registry, std::string_view worker,
                        std::function<std::int64_t()> nanoseconds);

/// istio_build{component,tag} 1; an empty tag is `unknown`.
void set_build(Registry& registry, std::string_view component, std::string_view tag);

/// Open descriptors of this process.
[[nodiscard]] std::int64_t open_fds();
/// From /proc/self/status; 0 where it cannot be read.
struct ProcessMemory {
  std::int64_t resident_bytes = 0;
  std::int64_t anonymous_bytes = 0;
};
[[nodiscard]] ProcessMemory process_memory();

}  // namespace aquifer::telemetry
