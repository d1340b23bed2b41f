// Two AuthorizationPolicies of which one can never matter: what the first says, the second says
// for the same pods, or denies before the first is asked.
#include "config/manifests/lint/implies.h"
#include "config/manifests/lint/lint.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace aquifer::manifests {
namespace {

using model::AuthorizationAction;

// Every pair of one namespace is compared: past this many the check would take minutes, and nobody
// keeps them in order by hand.
constexpr std::size_t kPoliciesComparedMax = 500;

using Policies = std::vector<const AuthorizationPolicyObject*>;

// Does `wide` hold for every pod that `narrow` holds for, whatever pods there will be?
bool holds_wherever(const LintMesh& mesh, const AuthorizationPolicyObject& wide,
                    const AuthorizationPolicyObject& narrow) {
  if (wide.meta.ns != narrow.meta.ns && !mesh.is_root(wide.meta.ns)) return false;
  // Each label that the wide one asks for is asked for by the narrow one.
  return std::ranges::all_of(wide.selector, [&](const auto& label) {
    const auto at = narrow.selector.find(label.first);
    return at != narrow.selector.end() && at->second == label.second;
  });
}

class PairLint {
 public:
  PairLint(const LintMesh& mesh, Findings& findings) : mesh_(mesh), findings_(findings) {
    mesh.assembly.for_each(
        &FileObjects::authorization_policies, [&](const AuthorizationPolicyObject& object) {
          const bool counts =
              !object.for_waypoint && object.supported_action && !object.policy.dry_run();
          if (counts) by_namespace_[object.meta.ns].push_back(&object);
        });
  }

  void look() {
    const std::string& root = mesh_.assembly.state.mesh_config.root_namespace;
    for (const auto& [ns, policies] : by_namespace_) {
      if (policies.size() > kPoliciesComparedMax) continue;
      for (const AuthorizationPolicyObject* policy : policies) {
        if (look(*policy, policies) || ns == root) continue;
        const auto of_mesh = by_namespace_.find(root);
        if (of_mesh != by_namespace_.end() && of_mesh->second.size() <= kPoliciesComparedMax)
          look(*policy, of_mesh->second);
      }
    }
  }

 private:
  // Says at most one thing of a policy; true when it did.
  bool look(const AuthorizationPolicyObject& policy, const Policies& others) {
    for (const AuthorizationPolicyObject* other : others) {
      if (other == &policy || !holds_wherever(mesh_, *other, policy)) continue;
      if (!implies(policy.policy.rules, other->policy.rules)) continue;
      if (policy.policy.action == other->policy.action) {
        // Of two that say the same, the later one is the one too many.
        const bool both = holds_wherever(mesh_, policy, *other) &&
                          implies(other->policy.rules, policy.policy.rules);
        if (both && policy.policy.key() < other->policy.key()) continue;
        say(policy, fmt::format("can never matter: {} {} already says all of it for the same pods; "
                                "take one of them away",
                                model::name_of(other->policy.action), other->policy.key()));
        return true;
      }
      if (policy.policy.action != AuthorizationAction::allow) continue;
      say(policy, fmt::format("can never allow anything: all that it allows is denied by DENY {}, "
                              "which is asked first; narrow that one, or take this one away",
                              other->policy.key()));
      return true;
    }
    return false;
  }

  void say(const AuthorizationPolicyObject& policy, std::string text) {
    findings_.warn("AuthorizationPolicy", policy.meta, {"spec.rules", ""}, std::move(text));
  }

  const LintMesh& mesh_;
  Findings& findings_;
  std::unordered_map<std::string, Policies> by_namespace_;
};

}  // namespace

void lint_authorization_pairs(const LintMesh& mesh, Findings& findings) {
  PairLint(mesh, findings).look();
}

}  // namespace aquifer::manifests
