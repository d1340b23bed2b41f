#include "config/model/l7/security_decision.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <tuple>

namespace aquifer::l7 {
namespace {

using model::Enforcement;

template <typename T>
bool stands_before(const T& a, const T& b) {
  return std::tie(a.ns, a.name) < std::tie(b.ns, b.name);
}

std::optional<RuleFiling::Hit> first_match(const ConcernedTargets& targets,
                                           const SecurityQuestion& question, RequestAction action,
                                           Enforcement enforcement) {
  std::optional<RuleFiling::Hit> best;
  for (const TargetPolicies* target : targets) {
    const auto hit = target->rules(action, enforcement, question.request != nullptr).find(question);
    if (hit && (!best || stands_before(*hit->policy, *best->policy))) best = hit;
  }
  return best;
}

bool any_allow(const ConcernedTargets& targets, Enforcement enforcement) {
  return std::ranges::any_of(targets, [&](const TargetPolicies* target) {
    return target->has(RequestAction::allow, enforcement);
  });
}

SecurityVerdict enforced_verdict(const ConcernedTargets& targets,
                                 const SecurityQuestion& question) {
  SecurityVerdict verdict;
  const auto decide = [&](const SecurityQuestion& asked, RequestAction action,
                          SecurityReason reason) {
    const auto hit = first_match(targets, asked, action, Enforcement::enforced);
    if (!hit) return false;
    verdict.reason = reason;
    verdict.policy = hit->policy;
    verdict.rule = hit->rule->number;
    return true;
  };
  // Istio asks providers before it looks at tokens.
  SecurityQuestion without_token = question;
  without_token.claims = nullptr;
  if (decide(without_token, RequestAction::custom, SecurityReason::not_asked)) return verdict;
  if (const auto hit =
          first_match(targets, question, RequestAction::audit, Enforcement::enforced)) {
    verdict.audit = hit->policy;
  }
  if (decide(question, RequestAction::deny, SecurityReason::denied)) return verdict;
  if (!any_allow(targets, Enforcement::enforced)) return verdict;
  if (decide(question, RequestAction::allow, SecurityReason::allowed)) return verdict;
  verdict.reason = SecurityReason::none_allowed;
  return verdict;
}

// What the policies on trial would change.
void add_dry_run(const ConcernedTargets& targets, const SecurityQuestion& question,
                 SecurityVerdict& verdict) {
  const auto deny = first_match(targets, question, RequestAction::deny, Enforcement::dry_run);
  const auto allow = first_match(targets, question, RequestAction::allow, Enforcement::dry_run);
  for (const auto* found : {&deny, &allow}) {
    if (*found) verdict.dry_run.push_back((*found)->policy);
  }
  if (verdict.reason == SecurityReason::denied || verdict.reason == SecurityReason::not_asked ||
      deny) {
    verdict.dry_run_allowed = false;
  } else if (verdict.reason == SecurityReason::allowed || allow) {
    verdict.dry_run_allowed = true;
  } else {
    verdict.dry_run_allowed =
        verdict.reason == SecurityReason::no_policies && !any_allow(targets, Enforcement::dry_run);
  }
}

}  // namespace

std::string SecurityVerdict::refusal() const {
  switch (reason) {
    case SecurityReason::no_policies:
    case SecurityReason::allowed: break;
    case SecurityReason::denied:
      return fmt::format("explicitly denied by: {}/{} rule {}", policy->ns, policy->name, rule);
    case SecurityReason::none_allowed: return "allow policies exist, but none allowed";
    case SecurityReason::not_asked:
      return fmt::format(
          "refused by: {}/{} rule {}, since the provider of a CUSTOM policy cannot "
          "be asked",
          policy->ns, policy->name, rule);
  }
  return {};
}

std::string SecurityVerdict::details() const {
  switch (reason) {
    case SecurityReason::no_policies:
    case SecurityReason::allowed: break;
    case SecurityReason::denied:
      return fmt::format("rbac_access_denied_matched_policy[{}]", policy->rule_name(rule));
    case SecurityReason::none_allowed: return "rbac_access_denied_matched_policy[none]";
    case SecurityReason::not_asked: return "ext_authz_error";
  }
  return {};
}

SecurityVerdict authorize(const SecurityBook& book, const SecurityQuestion& question) {
  const ConcernedTargets targets = book.targets_of(question.gateway, question.service);
  SecurityVerdict verdict = enforced_verdict(targets, question);
  if (book.has_dry_run()) {
    add_dry_run(targets, question, verdict);
  } else {
    verdict.dry_run_allowed = verdict.allowed();
  }
  return verdict;
}

std::vector<RequestPolicyPtr> considered_policies(const SecurityBook& book,
                                                  std::string_view gateway,
                                                  std::string_view service) {
  std::vector<RequestPolicyPtr> policies;
  for (const TargetPolicies* target : book.targets_of(gateway, service)) {
    policies.insert(policies.end(), target->policies().begin(), target->policies().end());
  }
  std::ranges::sort(policies, [](const auto& a, const auto& b) {
    return std::tie(a->action, a->ns, a->name) < std::tie(b->action, b->ns, b->name);
  });
  const auto repeated = std::ranges::unique(policies);
  policies.erase(repeated.begin(), repeated.end());
  return policies;
}

std::vector<TokenRulePtr> token_rules(const SecurityBook& book, std::string_view gateway,
                                      std::string_view service) {
  std::vector<RequestAuthenticationPtr> objects;
  for (const TargetPolicies* target : book.targets_of(gateway, service)) {
    objects.insert(objects.end(), target->authentications().begin(),
                   target->authentications().end());
  }
  std::ranges::sort(objects, [](const auto& a, const auto& b) { return stands_before(*a, *b); });
  const auto repeated = std::ranges::unique(objects);
  objects.erase(repeated.begin(), repeated.end());
  std::vector<TokenRulePtr> rules;
  for (const RequestAuthenticationPtr& object : objects) {
    rules.insert(rules.end(), object->rules.begin(), object->rules.end());
  }
  return rules;
}

}  // namespace aquifer::l7
