// Who may reach a workload: the policies of one version of the mesh, and the decision on them. The
// decision is a pure function of a book and plain values, shared by the data path and `explain`.
#pragma once

#include "common/base/address.h"
#include "common/base/spiffe.h"
#include "config/model/authorization_policy.h"
#include "config/model/policy_index.h"
#include "config/model/workload.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace aquifer::model {

/// All authorization policies of one version of the mesh. Immutable; the next version shares the
/// namespaces that did not change.
class AuthorizationBook {
 public:
  AuthorizationBook() = default;
  /// In any order; of two with one name the first counts.
  explicit AuthorizationBook(const std::vector<AuthorizationPolicyPtr>& policies);

  /// This book, with what equals something in `before` replaced by that very thing.
  [[nodiscard]] AuthorizationBook sharing(const AuthorizationBook& before) const;

  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  /// Are any policies on trial?
  [[nodiscard]] bool has_dry_run() const noexcept { return dry_run_; }
  /// By NAMESPACE/NAME; null when there is none.
  [[nodiscard]] AuthorizationPolicyPtr find(std::string_view key) const;
  /// By scope, then namespace, then name.
  template <typename Visit>
  void for_each(Visit&& visit) const {
    for (const Sets* sets : {&global_, &by_namespace_, &by_selector_}) {
      for (const auto& [ns, set] : *sets) {
        for (const AuthorizationPolicyPtr& policy : set->policies()) visit(policy);
      }
    }
  }
  friend bool operator==(const AuthorizationBook& a, const AuthorizationBook& b) noexcept;

  /// A set with policies that may concern a workload, and which of them do.
  struct Source {
    const PolicySet* set = nullptr;
    Considered considered = Considered::all;
  };
  /// Calls `visit(Source)` for each of them.
  template <typename Visit>
  void for_each_source(const Workload& workload, Visit&& visit) const;

 private:
  using Sets = std::map<std::string, PolicySetPtr, std::less<>>;

  // By the policies' own namespaces, all three.
  Sets global_;
  Sets by_namespace_;
  Sets by_selector_;
  std::size_t size_ = 0;
  bool dry_run_ = false;
};

using AuthorizationBookPtr = std::shared_ptr<const AuthorizationBook>;

/// What the answer rests on.
enum class AuthorizationReason : std::uint8_t {
  no_policies,   ///< allowed: no enforced ALLOW policy concerns the workload
  allowed,       ///< an ALLOW policy matched
  denied,        ///< a DENY policy matched
  none_allowed,  ///< denied: there are ALLOW policies and none matched
};

struct AuthorizationVerdict {
  AuthorizationReason reason = AuthorizationReason::no_policies;
  /// The policy that decided, of several the first by NAMESPACE/NAME; null where none did.
  AuthorizationPolicyPtr policy;
  /// Which of its rules.
  std::size_t rule = 0;
  /// Policies on trial that matched, at most one of each action: the first by NAMESPACE/NAME.
  std::vector<AuthorizationPolicyPtr> dry_run;
  /// The answer if the policies on trial were enforced.
  bool dry_run_allowed = true;

  [[nodiscard]] bool allowed() const noexcept {
    return reason == AuthorizationReason::no_policies || reason == AuthorizationReason::allowed;
  }
  /// In the words of the access log: "explicitly denied by: NS/NAME", "allow policies exist, but
  /// none allowed"; empty when it is allowed.
  [[nodiscard]] std::string refusal() const;
};

/// Any enforced DENY policy that matches denies. Without any enforced ALLOW policy it is allowed.
/// Any enforced ALLOW policy that matches allows. Everything else is denied.
///
/// Names in the workload's record that no policy has are skipped, as the peer does: the record and
/// the policies arrive one after the other.
[[nodiscard]] AuthorizationVerdict authorize(const AuthorizationBook& book,
                                             const AuthorizationRequest& request);

/// Every policy that is looked at for `workload`: DENY before ALLOW, each by NAMESPACE/NAME.
[[nodiscard]] std::vector<AuthorizationPolicyPtr> considered_policies(const AuthorizationBook& book,
                                                                      const Workload& workload);

/// Names in the workload's record that no policy has.
[[nodiscard]] std::vector<std::string> missing_policies(const AuthorizationBook& book,
                                                        const Workload& workload);

template <typename Visit>
void AuthorizationBook::for_each_source(const Workload& workload, Visit&& visit) const {
  for (const auto& [ns, set] : global_) visit(Source{set.get(), Considered::all});
  if (const auto own = by_namespace_.find(workload.ns); own != by_namespace_.end()) {
    visit(Source{own->second.get(), Considered::all});
  }
  // The names are sorted, so those of one namespace stand together and are passed over at once: a
  // workload may bear thousands.
  const auto& names = workload.authorization_policies;
  for (auto at = names.begin(); at != names.end();) {
    const std::string_view name = *at;
    const std::size_t slash = name.find('/');
    const std::string_view ns = name.substr(0, slash);
    // All that begin with `ns/` follow each other; a name without a slash is alone.
    at = slash == std::string_view::npos
             ? at + 1
             : std::partition_point(at, names.end(), [&](std::string_view other) {
                 return other.starts_with(name.substr(0, slash + 1));
               });
    if (const auto named = by_selector_.find(ns); named != by_selector_.end()) {
      visit(Source{named->second.get(), Considered::named});
    }
    if (ns == workload.ns) continue;
    // A record may name a policy of another namespace that holds for all of that namespace.
    if (const auto named = by_namespace_.find(ns); named != by_namespace_.end()) {
      visit(Source{named->second.get(), Considered::named});
    }
  }
}

}  // namespace aquifer::model
