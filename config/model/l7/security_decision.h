// May a request, or a connection that is not HTTP, pass a waypoint? A pure function of a book and
// plain values, shared by the waypoint and `explain`.
#pragma once

#include "config/model/l7/security_book.h"
#include "config/model/l7/security_question.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace aquifer::l7 {

/// What the answer rests on.
enum class SecurityReason : std::uint8_t {
  no_policies,   ///< allowed: no enforced ALLOW policy concerns the target
  allowed,       ///< an ALLOW policy matched
  denied,        ///< a DENY policy matched
  none_allowed,  ///< denied: there are ALLOW policies and none matched
  not_asked,     ///< denied: a CUSTOM policy matched, and its provider cannot be asked
};

/// Its pointers live as long as the book.
struct SecurityVerdict {
  SecurityReason reason = SecurityReason::no_policies;
  /// The policy that decided, of several the first by NAMESPACE/NAME; null where none did.
  const RequestPolicy* policy = nullptr;
  /// Which of its rules.
  std::size_t rule = 0;
  /// The first AUDIT policy that matched; null where none did.
  const RequestPolicy* audit = nullptr;
  /// Policies on trial that matched, at most one of each action: the first by NAMESPACE/NAME.
  std::vector<const RequestPolicy*> dry_run;
  /// The answer if the policies on trial were enforced.
  bool dry_run_allowed = true;

  [[nodiscard]] bool allowed() const noexcept {
    return reason == SecurityReason::no_policies || reason == SecurityReason::allowed;
  }
  /// "explicitly denied by: NS/NAME rule 0", "allow policies exist, but none allowed"; empty when
  /// it is allowed.
  [[nodiscard]] std::string refusal() const;
  /// As Istio's access log has it: "rbac_access_denied_matched_policy[...]"; empty when allowed.
  [[nodiscard]] std::string details() const;
};

/// An enforced CUSTOM policy that matches refuses. Then any enforced DENY policy that matches
/// denies. Without any enforced ALLOW policy it is allowed; any enforced ALLOW policy that matches
/// allows; everything else is denied. Policies of all waypoints, of the gateway and of the service
/// count alike.
[[nodiscard]] SecurityVerdict authorize(const SecurityBook& book, const SecurityQuestion& question);

/// Every policy that is looked at, in the order of the actions, each by NAMESPACE/NAME.
[[nodiscard]] std::vector<RequestPolicyPtr> considered_policies(const SecurityBook& book,
                                                                std::string_view gateway,
                                                                std::string_view service);

/// The rules for tokens that hold there, by NAMESPACE/NAME.
[[nodiscard]] std::vector<TokenRulePtr> token_rules(const SecurityBook& book,
                                                    std::string_view gateway,
                                                    std::string_view service);

}  // namespace aquifer::l7
