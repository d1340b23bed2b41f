#include "config/model/l7/security_trace.h"

#include "config/model/l7/security_miss.h"
#include "config/model/l7/security_words.h"

#include <limits>
#include <utility>

namespace aquifer::l7 {
namespace {

RequestPolicyTrace trace_policy(RequestPolicyPtr policy, const SecurityQuestion& question) {
  RequestPolicyTrace trace;
  trace.policy = std::move(policy);
  if (trace.policy->requests.empty()) {
    trace.why = "it has no rules, so it matches nothing";
    return trace;
  }
  const auto& rules =
      question.request != nullptr ? trace.policy->requests : trace.policy->connections;
  std::size_t nearest = std::numeric_limits<std::size_t>::max();
  for (const RequestRule& rule : rules) {
    if (matches(rule, question)) {
      trace.matched = true;
      trace.rule = rule.number;
      break;
    }
    const auto missing = misses(rule, question);
    if (!missing || missing->size() >= nearest) continue;
    nearest = missing->size();
    trace.rule = rule.number;
  }
  trace.why = describe_rule(*trace.policy, trace.rule, question);
  return trace;
}

}  // namespace

SecurityTrace trace_security(const SecurityBook& book, const SecurityQuestion& question) {
  SecurityTrace trace;
  trace.verdict = authorize(book, question);
  for (RequestPolicyPtr& policy : considered_policies(book, question.gateway, question.service)) {
    trace.policies.push_back(trace_policy(std::move(policy), question));
  }
  trace.nearest_miss = nearest_miss(book, question, trace.verdict);
  return trace;
}

}  // namespace aquifer::l7
