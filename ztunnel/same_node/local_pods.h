// Which pods this very process serves, and where: values that the control thread hands to the
// loops.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>

namespace aquifer::ztunnel {

class WorkerThread;

struct LocalPod {
  WorkerThread* worker = nullptr;  ///< outlives every connection of its pods
  std::uint64_t proxy = 0;         ///< ProxyId
  friend bool operator==(const LocalPod&, const LocalPod&) = default;
};

/// By the workload's uid.
using LocalPods = std::unordered_map<std::string, LocalPod>;
using LocalPodsPtr = std::shared_ptr<const LocalPods>;

}  // namespace aquifer::ztunnel
