// What a workload may reach: egress policies as values, and the decision on them. Pure; any thread.
#pragma once

#include <memory>

namespace aquifer::model {

/// All egress policies of one version of the mesh. Immutable once it is in a snapshot.
class EgressBook {
 public:
  [[nodiscard]] bool empty() const noexcept { return true; }
  friend bool operator==(const EgressBook&, const EgressBook&) = default;
};

using EgressBookPtr = std::shared_ptr<const EgressBook>;

}  // namespace aquifer::model
