// What logs, metrics and headers say about the two ends of a connection. Views into the records:
// they live as long as the workload and service that they were made from.
#pragma once

#include "config/model/service.h"
#include "config/model/workload.h"

#include <string>
#include <string_view>

namespace aquifer::model {

/// The values of the `baggage` header in their order on the wire; empty ones are not sent.
struct BaggageFields {
  std::string_view cluster;
  std::string_view ns;
  /// deployment, cronjob, pod or job: the middle of `k8s.<type>.name`.
  std::string_view workload_type;
  std::string_view workload_name;
  std::string_view canonical_name;
  std::string_view canonical_revision;
  std::string_view region;
  std::string_view zone;
};
[[nodiscard]] BaggageFields baggage_fields(const Workload& workload);

/// One end of a connection, as metrics and the access log name it. Everything empty: that end is
/// not known.
struct WorkloadLabels {
  /// The pod, or the canonical service when the record has no name: `src.workload` of the log.
  std::string_view pod;
  /// The deployment and so on: `source_workload` of the metrics.
  std::string_view workload;
  std::string_view canonical_service;
  std::string_view canonical_revision;
  std::string_view ns;
  /// With "spiffe://".
  std::string_view principal;
  std::string_view cluster;
  std::string_view region;
  std::string_view zone;
};
/// `workload` may be null.
[[nodiscard]] WorkloadLabels workload_labels(const Workload* workload);

struct ServiceLabels {
  std::string_view hostname;
  std::string_view name;
  std::string_view ns;
};
/// `service` may be null.
[[nodiscard]] ServiceLabels service_labels(const Service* service);

}  // namespace aquifer::model
