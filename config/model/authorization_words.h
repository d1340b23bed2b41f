// Policies and what they ask for, in words: for the detail of a refusal and for `explain`.
#pragma once

#include "config/model/authorization_match.h"
#include "config/model/authorization_policy.h"

#include <cstddef>
#include <string>

namespace aquifer::model {

/// "principals a or b; not ports 80": the conditions of one match.
[[nodiscard]] std::string describe(const AuthorizationMatch& match);

/// "the principal is cluster.local/ns/shop/sa/web, not a or b": why a condition is not satisfied.
[[nodiscard]] std::string describe_failure(const AuthorizationMatch& match,
                                           const FailedCondition& failed,
                                           const AuthorizationRequest& request);

/// "the principal were a or b": what would satisfy a condition.
[[nodiscard]] std::string describe_wish(const AuthorizationMatch& match,
                                        const FailedCondition& failed);

/// "rules[1].from matches principals a; rules[1].to matches ports 80", for a rule that matches;
/// else the first clause that does not, with the reasons of its nearest alternative.
[[nodiscard]] std::string describe_rule(const AuthorizationPolicy& policy, std::size_t rule,
                                        const AuthorizationRequest& request);

}  // namespace aquifer::model
