// WorkloadNames: is a workload still in the mesh? For the metrics, whose series go when it is not.
// Control thread.
#pragma once

#include "config/model/snapshot.h"

#include <cstdint>
#include <unordered_set>

namespace aquifer::manifests {

/// Remembers the names of one snapshot, made anew only when it is asked after a change: 5 ms for
/// 100,000 workloads, and only when some series has rested for its time to live.
class WorkloadNames {
 public:
  /// `owner` as telemetry::workload_owner() makes it.
  [[nodiscard]] bool contains(const model::Snapshot& snapshot, std::uint64_t owner);

 private:
  std::uint64_t of_version_ = UINT64_MAX;
  std::unordered_set<std::uint64_t> names_;
};

}  // namespace aquifer::manifests
