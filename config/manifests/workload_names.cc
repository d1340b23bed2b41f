#include "config/manifests/workload_names.h"

#include "common/telemetry/traffic_metrics.h"
#include "config/model/labels.h"

namespace aquifer::manifests {

bool WorkloadNames::contains(const model::Snapshot& snapshot, std::uint64_t owner) {
  if (of_version_ != snapshot.version()) {
    names_.clear();
    snapshot.for_each_workload([this](const model::WorkloadPtr& workload) {
      const model::WorkloadLabels labels = model::workload_labels(workload.get());
      names_.insert(telemetry::workload_owner(labels.ns, labels.workload));
    });
    of_version_ = snapshot.version();
  }
  return names_.contains(owner);
}

}  // namespace aquifer::manifests
