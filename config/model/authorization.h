// Who may reach a workload: authorization policies as values, and the decision on them. The
// decision is a pure function of a snapshot and plain values, shared by the data path and
// `explain`.
#pragma once

#include <memory>

namespace aquifer::model {

/// All authorization policies of one version of the mesh. Immutable once it is in a snapshot; the
/// next version shares what did not change.
class AuthorizationBook {
 public:
  [[nodiscard]] bool empty() const noexcept { return true; }
  friend bool operator==(const AuthorizationBook&, const AuthorizationBook&) = default;
};

using AuthorizationBookPtr = std::shared_ptr<const AuthorizationBook>;

}  // namespace aquifer::model
