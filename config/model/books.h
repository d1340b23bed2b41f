// The policies of one version of the mesh, of every kind. Each book is immutable and shared between
// versions while it is the same.
#pragma once

#include "config/model/authorization.h"
#include "config/model/egress.h"
#include "config/model/network_policy.h"

#include <memory>

namespace aquifer::model {

/// Never null, any of them.
struct Books {
  AuthorizationBookPtr authorization = std::make_shared<const AuthorizationBook>();
  EgressBookPtr egress = std::make_shared<const EgressBook>();
  NetworkPolicyBookPtr network = std::make_shared<const NetworkPolicyBook>();

  /// By content. Whether two versions share a book is a comparison of the pointers.
  friend bool operator==(const Books& a, const Books& b) {
    return same(a.authorization, b.authorization) && same(a.egress, b.egress) &&
           same(a.network, b.network);
  }

 private:
  template <typename Ptr>
  static bool same(const Ptr& a, const Ptr& b) {
    return a == b || *a == *b;
  }
};

/// `wanted`, but with the very books of `current` where they are equal: whoever compares pointers
/// sees only what changed.
[[nodiscard]] Books keep_equal(const Books& current, Books wanted);

}  // namespace aquifer::model
