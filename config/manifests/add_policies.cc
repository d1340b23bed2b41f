// AuthorizationPolicies and PeerAuthentications -> the book of the model, and which of them hold
// for a workload by its labels.
#include "config/manifests/assembly.h"
#include "config/manifests/read_objects.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

namespace aquifer::manifests {
namespace {

using model::AuthorizationPolicy;
using model::AuthorizationScope;
using Policies = std::vector<model::AuthorizationPolicyPtr>;

void add(Policies& policies, AuthorizationPolicy policy) {
  policies.push_back(std::make_shared<const AuthorizationPolicy>(std::move(policy)));
}

AuthorizationScope scope_of(const AuthorizationPolicyObject& object,
                            const std::string& root_namespace) {
  if (!object.selector.empty()) return AuthorizationScope::workload_selector;
  return object.meta.ns == root_namespace ? AuthorizationScope::global : AuthorizationScope::ns;
}

void add_authorization(Assembly& assembly, Policies& policies) {
  PolicyBindings& bindings = assembly.policy_bindings;
  assembly.for_each(&FileObjects::authorization_policies,
                    [&](const AuthorizationPolicyObject& object) {
                      if (object.for_waypoint || !object.supported_action) return;
                      AuthorizationPolicy policy = object.policy;
                      policy.scope = scope_of(object, bindings.root_namespace);
                      if (!object.selector.empty()) {
                        bindings.authorization.add(policy.ns, object.selector, policy.key());
                      }
                      add(policies, std::move(policy));
                    });
}

using PeerAuthentications = std::vector<const PeerAuthenticationObject*>;

// The one that counts of those which concern the same workloads.
const PeerAuthenticationObject* choose(Assembly& assembly, const PeerAuthentications& rivals) {
  const PeerAuthenticationObject* chosen = oldest(rivals);
  for (const PeerAuthenticationObject* other : rivals) {
    if (other == chosen) continue;
    assembly.report_at(Severity::warning, other->meta.origin,
                       object_name("PeerAuthentication", other->meta), "",
                       fmt::format("has no effect: {} is for the same workloads and older",
                                   object_name("PeerAuthentication", chosen->meta)));
  }
  return chosen;
}

void add_peer_authentications(Assembly& assembly, Policies& policies) {
  PolicyBindings& bindings = assembly.policy_bindings;
  PeerAuthentications selecting;
  std::map<std::string, PeerAuthentications, std::less<>> whole_namespaces;
  bool any = false;
  assembly.for_each(
      &FileObjects::peer_authentications, [&](const PeerAuthenticationObject& object) {
        any = true;
        if (object.selector.empty()) return whole_namespaces[object.meta.ns].push_back(&object);
        if (object.meta.ns != bindings.root_namespace) return selecting.push_back(&object);
        assembly.report_at(
            Severity::warning, object.meta.origin, object_name("PeerAuthentication", object.meta),
            "spec.selector",
            "has no effect in the root namespace: write the object into the workload's namespace, "
            "or leave the selector out to mean the whole mesh");
      });
  for (const auto& [ns, rivals] : whole_namespaces) {
    const MtlsMode mode = choose(assembly, rivals)->mode;
    if (ns == bindings.root_namespace) {
      bindings.mesh_mtls = mode;
    } else {
      bindings.namespace_mtls[ns] = mode;
    }
  }
  for (const PeerAuthenticationObject* object : selecting) {
    bindings.peer_authentication.add(object->meta.ns, object->selector, object);
    auto policy = port_policy(*object, bindings.inherited(object->meta.ns));
    if (policy) add(policies, std::move(*policy));
  }
  if (any) add(policies, static_strict_policy(bindings.root_namespace));
}

}  // namespace

InheritedMtls PolicyBindings::inherited(std::string_view ns) const {
  InheritedMtls result;
  result.mesh = mesh_mtls;
  const auto own = namespace_mtls.find(ns);
  if (own != namespace_mtls.end()) result.ns = own->second;
  return result;
}

std::vector<std::string> PolicyBindings::of(std::string_view ns, const StringMap& labels) const {
  std::vector<std::string> names;
  const auto take = [&](const std::string& name) { names.push_back(name); };
  authorization.for_each(ns, labels, take);
  // A selector in the root namespace selects in all of them.
  if (ns != root_namespace) authorization.for_each(root_namespace, labels, take);

  PeerAuthentications selecting;
  peer_authentication.for_each(ns, labels,
                               [&](const auto* object) { selecting.push_back(object); });
  const PeerAuthenticationObject* object = oldest(selecting);
  const InheritedMtls above = inherited(ns);
  if (object != nullptr) {
    if (const auto policy = port_policy(*object, above)) names.push_back(policy->key());
  }
  if (needs_static_strict(object, above)) {
    names.push_back(static_strict_policy(root_namespace).key());
  }
  std::ranges::sort(names);
  const auto repeated = std::ranges::unique(names);
  names.erase(repeated.begin(), repeated.end());
  return names;
}

void add_policies(Assembly& assembly) {
  assembly.policy_bindings.root_namespace = assembly.state.mesh_config.root_namespace;
  Policies policies;
  add_authorization(assembly, policies);
  add_peer_authentications(assembly, policies);
  assembly.state.books.authorization = std::make_shared<const model::AuthorizationBook>(policies);
}

}  // namespace aquifer::manifests
