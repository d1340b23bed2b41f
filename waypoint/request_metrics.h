// What is told of requests and connections at their end: metrics under Istio's names, and the
// access log. Any thread.
#pragma once

#include "common/telemetry/metrics.h"
#include "waypoint/request_record.h"

namespace aquifer::waypoint {

struct Worker;

class RequestMetrics {
 public:
  explicit RequestMetrics(telemetry::Registry& registry);

  /// Of an HTTP request.
  void finish(Worker& worker, RequestRecord& record);
  /// Of a connection that was passed through.
  void finish_tcp(Worker& worker, RequestRecord& record);

 private:
  telemetry::Counter requests_;
  telemetry::Counter connections_;
};

}  // namespace aquifer::waypoint
