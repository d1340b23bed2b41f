#include "config/model/l7/security_book.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

namespace aquifer::l7 {
namespace {

template <typename T>
void sort_by_name(std::vector<std::shared_ptr<const T>>& objects) {
  std::ranges::sort(objects, [](const auto& a, const auto& b) {
    return std::tie(a->ns, a->name) < std::tie(b->ns, b->name);
  });
}

template <typename T>
bool same_contents(const std::vector<std::shared_ptr<const T>>& a,
                   const std::vector<std::shared_ptr<const T>>& b) {
  return std::ranges::equal(a, b, [](const auto& x, const auto& y) { return x == y || *x == *y; });
}

}  // namespace

bool operator==(const RequestAuthentication& a, const RequestAuthentication& b) noexcept {
  return a.ns == b.ns && a.name == b.name && a.targets == b.targets &&
         std::ranges::equal(a.rules, b.rules,
                            [](const auto& x, const auto& y) { return x == y || *x == *y; });
}

TargetPolicies::TargetPolicies(std::vector<RequestPolicyPtr> policies,
                               std::vector<RequestAuthenticationPtr> authentications)
    : policies_(std::move(policies)), authentications_(std::move(authentications)) {
  for (const RequestPolicyPtr& policy : policies_) {
    has_[slot(policy->action, policy->enforcement, true)] = true;
    RuleFiling& requests = filings_[slot(policy->action, policy->enforcement, true)];
    for (const RequestRule& rule : policy->requests) requests.add(*policy, rule);
    RuleFiling& connections = filings_[slot(policy->action, policy->enforcement, false)];
    for (const RequestRule& rule : policy->connections) connections.add(*policy, rule);
  }
}

SecurityBook::SecurityBook(std::vector<RequestPolicyPtr> policies,
                           std::vector<RequestAuthenticationPtr> authentications)
    : policies_(std::move(policies)), authentications_(std::move(authentications)) {
  sort_by_name(policies_);
  sort_by_name(authentications_);
  struct Members {
    std::vector<RequestPolicyPtr> policies;
    std::vector<RequestAuthenticationPtr> authentications;
  };
  std::map<SecurityTarget, Members> members;
  // A target may be named twice by one object; it stands there once.
  const auto put = [](auto& list, const auto& object) {
    if (list.empty() || list.back() != object) list.push_back(object);
  };
  for (const RequestPolicyPtr& policy : policies_) {
    dry_run_ = dry_run_ || policy->dry_run();
    for (const SecurityTarget& target : policy->targets) put(members[target].policies, policy);
  }
  for (const RequestAuthenticationPtr& object : authentications_) {
    for (const SecurityTarget& target : object->targets) {
      put(members[target].authentications, object);
    }
  }
  for (auto& [target, found] : members) {
    targets_[static_cast<std::size_t>(target.kind)].emplace(
        target.name, std::make_shared<const TargetPolicies>(std::move(found.policies),
                                                            std::move(found.authentications)));
  }
}

ConcernedTargets SecurityBook::targets_of(std::string_view gateway,
                                          std::string_view service) const {
  ConcernedTargets targets;
  if (empty()) return targets;
  targets.add(find(SecurityTarget::Kind::mesh, {}));
  targets.add(find(SecurityTarget::Kind::gateway, gateway));
  if (!service.empty()) targets.add(find(SecurityTarget::Kind::service, service));
  return targets;
}

const TargetPolicies* SecurityBook::find(SecurityTarget::Kind kind, std::string_view name) const {
  const Targets& targets = targets_[static_cast<std::size_t>(kind)];
  const auto at = targets.find(name);
  return at == targets.end() ? nullptr : at->second.get();
}

bool operator==(const SecurityBook& a, const SecurityBook& b) noexcept {
  return same_contents(a.policies_, b.policies_) &&
         same_contents(a.authentications_, b.authentications_);
}

}  // namespace aquifer::l7
