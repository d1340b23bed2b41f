// Does a policy match a connection? The one place where conditions are compared: the decision, its
// index and its explanation all end here.
#pragma once

#include "common/base/address.h"
#include "common/base/spiffe.h"
#include "config/model/authorization_policy.h"
#include "config/model/workload.h"

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace aquifer::model {

/// One connection as policies see it.
struct AuthorizationRequest {
  SocketAddress source;
  /// What mutual TLS proved; null for plaintext.
  const SpiffeId* identity = nullptr;
  /// The pod's own address and the application's port, never the tunnel's.
  SocketAddress destination;
  /// Never null: its namespace and its selector policies count.
  const Workload* workload = nullptr;

  /// Both empty without an identity.
  [[nodiscard]] std::string_view principal() const noexcept {
    return identity != nullptr ? identity->principal() : std::string_view();
  }
  [[nodiscard]] std::string_view source_namespace() const noexcept {
    return identity != nullptr ? identity->ns() : std::string_view();
  }
};

/// What can be compared; in the order in which it is.
enum class AuthorizationField : std::uint8_t {
  destination_ip,
  source_ip,
  destination_port,
  service_account,
  principal,
  ns,
};

/// One half of a constraint that is not satisfied.
struct FailedCondition {
  AuthorizationField field = AuthorizationField::principal;
  /// True: it is one of those that must not be.
  bool negated = false;
  friend bool operator==(const FailedCondition&, const FailedCondition&) = default;
};

[[nodiscard]] bool matches(const AuthorizationMatch& match, const AuthorizationRequest& request);
[[nodiscard]] bool matches(const AuthorizationRule& rule, const AuthorizationRequest& request);
/// The first rule that matches.
[[nodiscard]] std::optional<std::size_t> matching_rule(const AuthorizationPolicy& policy,
                                                       const AuthorizationRequest& request);

/// Every condition of `match` that is not satisfied; nothing when it matches, or when it is empty.
[[nodiscard]] std::vector<FailedCondition> failed_conditions(const AuthorizationMatch& match,
                                                             const AuthorizationRequest& request);

}  // namespace aquifer::model
