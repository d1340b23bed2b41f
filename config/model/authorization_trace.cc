#include "config/model/authorization_trace.h"

#include <limits>

namespace aquifer::model {
namespace {

// Conditions that keep a rule from matching, at the nearest alternative of each clause.
std::size_t distance(const AuthorizationRule& rule, const AuthorizationRequest& request) {
  constexpr std::size_t kNever = std::numeric_limits<std::size_t>::max() / 2;
  std::size_t sum = 0;
  for (const AuthorizationClause& clause : rule) {
    std::size_t nearest = clause.empty() ? 0 : kNever;
    for (const AuthorizationMatch& match : clause) {
      if (!match.empty()) nearest = std::min(nearest, failed_conditions(match, request).size());
    }
    sum = std::min(kNever, sum + nearest);
  }
  return sum;
}

PolicyTrace trace_policy(AuthorizationPolicyPtr policy, const AuthorizationRequest& request) {
  PolicyTrace trace;
  trace.policy = std::move(policy);
  const auto& rules = trace.policy->rules;
  if (rules.empty()) {
    trace.why = "it has no rules, so it matches nothing";
    return trace;
  }
  if (const auto matched = matching_rule(*trace.policy, request)) {
    trace.matched = true;
    trace.rule = *matched;
  } else {
    std::size_t nearest = std::numeric_limits<std::size_t>::max();
    for (std::size_t i = 0; i < rules.size(); ++i) {
      const std::size_t here = distance(rules[i], request);
      if (here < nearest) trace.rule = i;
      nearest = std::min(nearest, here);
    }
  }
  trace.why = describe_rule(*trace.policy, trace.rule, request);
  return trace;
}

}  // namespace

AuthorizationTrace trace_authorization(const AuthorizationBook& book,
                                       const AuthorizationRequest& request) {
  AuthorizationTrace trace;
  trace.verdict = authorize(book, request);
  for (AuthorizationPolicyPtr& policy : considered_policies(book, *request.workload)) {
    trace.policies.push_back(trace_policy(std::move(policy), request));
  }
  trace.missing = missing_policies(book, *request.workload);
  trace.nearest_miss = nearest_miss(book, request, trace.verdict);
  return trace;
}

}  // namespace aquifer::model
