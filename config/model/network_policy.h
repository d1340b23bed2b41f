// Kubernetes NetworkPolicy as values, and the decision on them. Pure; any thread.
#pragma once

#include <memory>

namespace aquifer::model {

/// All network policies of one version of the mesh. Immutable once it is in a snapshot.
class NetworkPolicyBook {
 public:
  [[nodiscard]] bool empty() const noexcept { return true; }
  friend bool operator==(const NetworkPolicyBook&, const NetworkPolicyBook&) = default;
};

using NetworkPolicyBookPtr = std::shared_ptr<const NetworkPolicyBook>;

}  // namespace aquifer::model
