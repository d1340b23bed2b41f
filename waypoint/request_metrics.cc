#include "waypoint/request_metrics.h"

#include "common/base/log.h"
#include "waypoint/worker.h"

namespace aquifer::waypoint {

RequestMetrics::RequestMetrics(telemetry::Registry& registry) {
  requests_ = registry.counter("aquifer_waypoint_requests", "Requests that were served.");
  connections_ =
      registry.counter("aquifer_waypoint_tcp_connections", "Connections passed through.");
}

void RequestMetrics::finish(Worker& worker, RequestRecord& record) {
  requests_.add();
  const auto took =
      std::chrono::duration_cast<std::chrono::milliseconds>(worker.loop.now() - record.started);
  log::info("access", "{} {} {} {} {} {} {}ms {}", record.method, record.path, record.status,
            to_string(record.flags), record.details, record.upstream_host.to_string(), took.count(),
            record.upstream_failure);
}

void RequestMetrics::finish_tcp(Worker& worker, RequestRecord& record) {
  connections_.add();
  const auto took =
      std::chrono::duration_cast<std::chrono::milliseconds>(worker.loop.now() - record.started);
  log::info("access", "tcp {} {} {} {}ms", to_string(record.flags), record.cluster,
            record.upstream_host.to_string(), took.count());
}

}  // namespace aquifer::waypoint
