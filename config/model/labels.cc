#include "config/model/labels.h"

namespace aquifer::model {

BaggageFields baggage_fields(const Workload& workload) {
  return BaggageFields{.cluster = workload.cluster_id,
                       .ns = workload.ns,
                       .workload_type = name_of(workload.workload_type),
                       .workload_name = workload.workload_name,
                       .canonical_name = workload.canonical_name,
                       .canonical_revision = workload.canonical_revision,
                       .region = workload.locality.region,
                       .zone = workload.locality.zone};
}

WorkloadLabels workload_labels(const Workload* workload) {
  if (workload == nullptr) return {};
  const Workload& w = *workload;
  return WorkloadLabels{.pod = w.name.empty() ? w.canonical_name : w.name,
                        .workload = w.workload_name,
                        .canonical_service = w.canonical_name,
                        .canonical_revision = w.canonical_revision,
                        .ns = w.ns,
                        .principal = w.identity.to_string(),
                        .cluster = w.cluster_id,
                        .region = w.locality.region,
                        .zone = w.locality.zone};
}

ServiceLabels service_labels(const Service* service) {
  if (service == nullptr) return {};
  return ServiceLabels{.hostname = service->hostname, .name = service->name, .ns = service->ns};
}

}  // namespace aquifer::model
