// The decision of authorize() spelled out: every policy that was looked at, what it said and why,
// and what would have had to be different. For `explain`.
#pragma once

#include "config/model/l7/security_decision.h"

#include <cstddef>
#include <string>
#include <vector>

namespace aquifer::l7 {

/// One policy as it was looked at.
struct RequestPolicyTrace {
  RequestPolicyPtr policy;
  bool matched = false;
  /// The first rule that matched, else the nearest to matching.
  std::size_t rule = 0;
  std::string why;
};

struct SecurityTrace {
  SecurityVerdict verdict;
  /// In the order in which they count. Policies on trial stand among them and decide nothing.
  std::vector<RequestPolicyTrace> policies;
  /// See nearest_miss().
  std::string nearest_miss;
};

/// The book outlives the trace's verdict.
[[nodiscard]] SecurityTrace trace_security(const SecurityBook& book,
                                           const SecurityQuestion& question);

}  // namespace aquifer::l7
