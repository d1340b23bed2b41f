// The policies of one version of the mesh, of every kind. Each book is immutable and shared between
// versions while it is the same.
#pragma once

#include "config/model/authorization.h"
#include "config/model/egress.h"
#include "config/model/network_policy.h"

#include <memory>

namespace aquifer::l7 {
class RoutingBook;
class SecurityBook;
}  // namespace aquifer::l7

namespace aquifer::model {

/// The books of waypoints when there is nothing in them.
[[nodiscard]] const std::shared_ptr<const l7::RoutingBook>& no_routing() noexcept;
[[nodiscard]] const std::shared_ptr<const l7::SecurityBook>& no_security() noexcept;

/// Never null, any of them.
struct Books {
  AuthorizationBookPtr authorization = std::make_shared<const AuthorizationBook>();
  EgressBookPtr egress = std::make_shared<const EgressBook>();
  NetworkPolicyBookPtr network = std::make_shared<const NetworkPolicyBook>();
  /// Of waypoints: what becomes of requests (l7/routing_book.h), and which may pass
  /// (l7/security_book.h).
  std::shared_ptr<const l7::RoutingBook> routing = no_routing();
  std::shared_ptr<const l7::SecurityBook> security = no_security();

  /// By content. Whether two versions share a book is a comparison of the pointers.
  friend bool operator==(const Books& a, const Books& b);
};

/// `wanted`, but with the very books of `current` where they are equal: whoever compares pointers
/// sees only what changed.
[[nodiscard]] Books keep_equal(const Books& current, Books wanted);

}  // namespace aquifer::model
