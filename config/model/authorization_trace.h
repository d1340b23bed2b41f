// The decision of authorize() spelled out: every policy that was looked at, what it said and why,
// and what would have had to be different. For `explain`.
#pragma once

#include "config/model/authorization.h"
#include "config/model/authorization_words.h"
#include "config/model/nearest_miss.h"

#include <cstddef>
#include <string>
#include <vector>

namespace aquifer::model {

/// One policy as it was looked at.
struct PolicyTrace {
  AuthorizationPolicyPtr policy;
  bool matched = false;
  /// The first rule that matched, else the nearest to matching; 0 for a policy without rules.
  std::size_t rule = 0;
  /// "rules[0].from matches principals a", or what kept the nearest rule from matching.
  std::string why;
};

struct AuthorizationTrace {
  AuthorizationVerdict verdict;
  /// DENY before ALLOW, each by NAMESPACE/NAME, as they count. Policies on trial stand among them
  /// (`policy->dry_run()`) and decide nothing.
  std::vector<PolicyTrace> policies;
  /// Names in the workload's record that no policy has: they were skipped.
  std::vector<std::string> missing;
  /// See nearest_miss().
  std::string nearest_miss;
};

[[nodiscard]] AuthorizationTrace trace_authorization(const AuthorizationBook& book,
                                                     const AuthorizationRequest& request);

}  // namespace aquifer::model
