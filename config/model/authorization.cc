#include "config/model/authorization.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <tuple>
#include <unordered_set>

namespace aquifer::model {
namespace {

bool stands_before(const AuthorizationPolicy& a, const AuthorizationPolicy& b) {
  return std::tie(a.ns, a.name) < std::tie(b.ns, b.name);
}

struct Found {
  AuthorizationPolicyPtr policy;
  std::size_t rule = 0;
};

// The first policy by NAMESPACE/NAME, of one action and one enforcement, that matches.
Found first_match(const AuthorizationBook& book, const AuthorizationRequest& request,
                  AuthorizationAction action, Enforcement enforcement) {
  const PolicySet* owner = nullptr;
  std::optional<RuleIndex::Hit> best;
  book.for_each_source(*request.workload, [&](const AuthorizationBook::Source& source) {
    const auto hit = source.set->rules(action, enforcement).find(request, source.considered);
    if (!hit || (best && !stands_before(*hit->policy, *best->policy))) return;
    best = hit;
    owner = source.set;
  });
  if (!best) return {};
  return {owner->find(best->policy->name), best->rule};
}

bool any_allow(const AuthorizationBook& book, const AuthorizationRequest& request,
               Enforcement enforcement) {
  bool any = false;
  book.for_each_source(*request.workload, [&](const AuthorizationBook::Source& source) {
    any = any || source.set->rules(AuthorizationAction::allow, enforcement)
                     .concerns(request, source.considered);
  });
  return any;
}

AuthorizationVerdict enforced_verdict(const AuthorizationBook& book,
                                      const AuthorizationRequest& request) {
  AuthorizationVerdict verdict;
  const auto decide = [&](AuthorizationAction action, AuthorizationReason reason) {
    Found found = first_match(book, request, action, Enforcement::enforced);
    if (found.policy == nullptr) return false;
    verdict.reason = reason;
    verdict.policy = std::move(found.policy);
    verdict.rule = found.rule;
    return true;
  };
  if (decide(AuthorizationAction::deny, AuthorizationReason::denied)) return verdict;
  if (!any_allow(book, request, Enforcement::enforced)) return verdict;
  if (decide(AuthorizationAction::allow, AuthorizationReason::allowed)) return verdict;
  verdict.reason = AuthorizationReason::none_allowed;
  return verdict;
}

// What the policies on trial would change.
void add_dry_run(const AuthorizationBook& book, const AuthorizationRequest& request,
                 AuthorizationVerdict& verdict) {
  const Found deny = first_match(book, request, AuthorizationAction::deny, Enforcement::dry_run);
  const Found allow = first_match(book, request, AuthorizationAction::allow, Enforcement::dry_run);
  for (const Found* found : {&deny, &allow}) {
    if (found->policy != nullptr) verdict.dry_run.push_back(found->policy);
  }
  if (verdict.reason == AuthorizationReason::denied || deny.policy != nullptr) {
    verdict.dry_run_allowed = false;
  } else if (verdict.reason == AuthorizationReason::allowed || allow.policy != nullptr) {
    verdict.dry_run_allowed = true;
  } else {
    verdict.dry_run_allowed = verdict.reason == AuthorizationReason::no_policies &&
                              !any_allow(book, request, Enforcement::dry_run);
  }
}

}  // namespace

AuthorizationBook::AuthorizationBook(const std::vector<AuthorizationPolicyPtr>& policies) {
  std::unordered_set<std::string> seen;
  std::map<std::string, std::vector<AuthorizationPolicyPtr>, std::less<>> groups[3];
  for (const AuthorizationPolicyPtr& policy : policies) {
    if (!seen.insert(policy->key()).second) continue;
    groups[static_cast<std::size_t>(policy->scope)][policy->ns].push_back(policy);
    dry_run_ = dry_run_ || policy->dry_run();
  }
  size_ = seen.size();
  const auto index = [&](AuthorizationScope scope, Sets& sets) {
    for (auto& [ns, group] : groups[static_cast<std::size_t>(scope)]) {
      sets.emplace(ns, std::make_shared<const PolicySet>(std::move(group)));
    }
  };
  index(AuthorizationScope::global, global_);
  index(AuthorizationScope::ns, by_namespace_);
  index(AuthorizationScope::workload_selector, by_selector_);
}

AuthorizationBook AuthorizationBook::sharing(const AuthorizationBook& before) const {
  AuthorizationBook book = *this;
  const auto share = [](Sets& sets, const Sets& known) {
    for (auto& [ns, set] : sets) {
      const auto same = known.find(ns);
      if (same != known.end() && *same->second == *set) set = same->second;
    }
  };
  share(book.global_, before.global_);
  share(book.by_namespace_, before.by_namespace_);
  share(book.by_selector_, before.by_selector_);
  return book;
}

AuthorizationPolicyPtr AuthorizationBook::find(std::string_view key) const {
  const std::size_t slash = key.find('/');
  if (slash == std::string_view::npos) return nullptr;
  const std::string_view ns = key.substr(0, slash);
  const std::string_view name = key.substr(slash + 1);
  for (const Sets* sets : {&global_, &by_namespace_, &by_selector_}) {
    const auto set = sets->find(ns);
    if (set == sets->end()) continue;
    if (auto policy = set->second->find(name)) return policy;
  }
  return nullptr;
}

bool operator==(const AuthorizationBook& a, const AuthorizationBook& b) noexcept {
  const auto same = [](const AuthorizationBook::Sets& x, const AuthorizationBook::Sets& y) {
    return std::ranges::equal(x, y, [](const auto& p, const auto& q) {
      return p.first == q.first && (p.second == q.second || *p.second == *q.second);
    });
  };
  return a.size_ == b.size_ && same(a.global_, b.global_) &&
         same(a.by_namespace_, b.by_namespace_) && same(a.by_selector_, b.by_selector_);
}

std::string AuthorizationVerdict::refusal() const {
  switch (reason) {
    case AuthorizationReason::no_policies:
    case AuthorizationReason::allowed: break;
    case AuthorizationReason::denied:
      return fmt::format("explicitly denied by: {}/{}", policy->ns, policy->name);
    case AuthorizationReason::none_allowed: return "allow policies exist, but none allowed";
  }
  return {};
}

AuthorizationVerdict authorize(const AuthorizationBook& book, const AuthorizationRequest& request) {
  AuthorizationVerdict verdict = enforced_verdict(book, request);
  if (book.has_dry_run()) {
    add_dry_run(book, request, verdict);
  } else {
    verdict.dry_run_allowed = verdict.allowed();
  }
  return verdict;
}

std::vector<AuthorizationPolicyPtr> considered_policies(const AuthorizationBook& book,
                                                        const Workload& workload) {
  std::vector<AuthorizationPolicyPtr> policies;
  book.for_each_source(workload, [&](const AuthorizationBook::Source& source) {
    for (const AuthorizationPolicyPtr& policy : source.set->policies()) {
      if (concerns(*policy, workload, source.considered)) policies.push_back(policy);
    }
  });
  std::ranges::sort(policies, [](const auto& a, const auto& b) {
    return std::tie(b->action, a->ns, a->name) < std::tie(a->action, b->ns, b->name);
  });
  return policies;
}

std::vector<std::string> missing_policies(const AuthorizationBook& book, const Workload& workload) {
  std::vector<std::string> missing;
  for (const std::string& name : workload.authorization_policies) {
    if (book.find(name) == nullptr) missing.push_back(name);
  }
  return missing;
}

}  // namespace aquifer::model
