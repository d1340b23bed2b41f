// What waypoints enforce on requests: AuthorizationPolicies that name a Gateway or a service by
// targetRefs, with their HTTP attributes, and RequestAuthentications. Immutable, hence any thread.
#pragma once

#include <memory>

namespace aquifer::l7 {

class SecurityBook {
 public:
  SecurityBook() = default;
  friend bool operator==(const SecurityBook&, const SecurityBook&) noexcept = default;
};

using SecurityBookPtr = std::shared_ptr<const SecurityBook>;

}  // namespace aquifer::l7
