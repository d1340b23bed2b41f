// AuthorizationPolicies that hold for nobody, deny everything, or speak of callers and ports that
// do not exist.
#include "config/manifests/lint/lint.h"
#include "config/manifests/lint/words.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <unordered_map>
#include <unordered_set>

namespace aquifer::manifests {
namespace {

using model::AuthorizationAction;
using model::AuthorizationMatch;
using model::StringMatch;

constexpr std::string_view kKind = "AuthorizationPolicy";

// What a value does that nobody has: among those of a field, and of its negation.
constexpr std::string_view kMatchesNobody = "matches nobody";
constexpr std::string_view kExcludesNobody = "excludes nobody";

// What pods are known to listen on: ports that their containers declare, and those that services
// send to.
class ServedPorts {
 public:
  explicit ServedPorts(const LintMesh& mesh) : mesh_(mesh) {
    for (const model::ServiceRecord& record : mesh.assembly.state.services) {
      for (const model::Endpoint& endpoint : record.endpoints->endpoints) {
        for (const model::PortMapping& port : endpoint.ports) {
          ports_[endpoint.workload_uid].insert(port.target_port);
          if (port.service_port != port.target_port)
            mapped_[endpoint.workload_uid].emplace(port.service_port, port.target_port);
        }
      }
    }
  }

  // Empty: nothing is known of the pod.
  [[nodiscard]] std::set<std::uint16_t> of(const PodObject& pod) const {
    std::set<std::uint16_t> result(pod.ports.begin(), pod.ports.end());
    if (const auto at = ports_.find(uid(pod)); at != ports_.end())
      result.insert(at->second.begin(), at->second.end());
    return result;
  }
  // The pod's port behind this port of a service; 0: no service has it.
  [[nodiscard]] std::uint16_t behind(const PodObject& pod, std::uint16_t service_port) const {
    const auto at = mapped_.find(uid(pod));
    if (at == mapped_.end()) return 0;
    const auto port = at->second.find(service_port);
    return port == at->second.end() ? 0 : port->second;
  }

 private:
  [[nodiscard]] std::string uid(const PodObject& pod) const {
    return pod_uid(mesh_.assembly.options, pod.meta.ns, pod.meta.name);
  }

  const LintMesh& mesh_;
  std::unordered_map<std::string, std::set<std::uint16_t>> ports_;
  std::unordered_map<std::string, std::map<std::uint16_t, std::uint16_t>> mapped_;
};

class AuthorizationLint {
 public:
  AuthorizationLint(const LintMesh& mesh, Findings& findings)
      : mesh_(mesh), findings_(findings), served_(mesh) {
    for (const model::WorkloadPtr& workload : mesh.assembly.state.workloads) {
      if (!workload->identity.empty()) principals_.emplace(workload->identity.principal());
      namespaces_.insert(workload->ns);
    }
    for (const auto& [name, ns] : mesh.assembly.namespaces) namespaces_.insert(name);
    note_allowing();
  }

  void look(const AuthorizationPolicyObject& object) {
    if (object.for_waypoint || !object.supported_action) return;
    const PodIndex::Pods pods = mesh_.selected(object.meta.ns, object.selector);
    if (pods.empty()) return nobody(object);
    look_at_enforcement(object, pods);
    look_at_emptiness(object, pods);
    for (const model::AuthorizationRule& rule : object.policy.rules) {
      for (const model::AuthorizationClause& clause : rule) {
        for (const AuthorizationMatch& match : clause) look_at_match(object, match, pods);
      }
    }
  }

 private:
  // Which pods are allowed something by some policy: for those, an empty ALLOW changes nothing.
  void note_allowing() {
    mesh_.assembly.for_each(
        &FileObjects::authorization_policies, [&](const AuthorizationPolicyObject& object) {
          const model::AuthorizationPolicy& policy = object.policy;
          const bool allows = !object.for_waypoint && object.supported_action &&
                              policy.action == AuthorizationAction::allow && !policy.dry_run() &&
                              !policy.rules.empty();
          if (!allows) return;
          for (const PodObject* pod : mesh_.selected(object.meta.ns, object.selector))
            allowed_something_.insert(pod);
        });
  }

  void nobody(const AuthorizationPolicyObject& object) {
    if (object.selector.empty()) {
      return findings_.warn(
          kKind, object.meta, {"metadata.namespace", ""},
          fmt::format("there is no pod in namespace {}: the policy holds for nobody; "
                      "write it into the namespace of the pods it is to protect",
                      object.meta.ns));
    }
    const std::string_view ns =
        mesh_.is_root(object.meta.ns) ? "" : std::string_view(object.meta.ns);
    findings_.warn(
        kKind, object.meta, {"spec.selector.matchLabels", ""},
        fmt::format("selects no pod, so the policy protects nothing: {}. Write labels that "
                    "the pods have",
                    mesh_.pods.why_none(ns, object.selector)));
  }

  // A pod outside the mesh has no proxy that could refuse anybody.
  void look_at_enforcement(const AuthorizationPolicyObject& object, const PodIndex::Pods& pods) {
    const auto outside =
        std::ranges::count_if(pods, [&](const PodObject* pod) { return !mesh_.is_captured(*pod); });
    if (outside == 0) return;
    // For a whole namespace or mesh it is usual that some stay outside.
    if (object.selector.empty() && static_cast<std::size_t>(outside) < pods.size()) return;
    std::vector<std::string> names;
    for (const PodObject* pod : pods) {
      if (!mesh_.is_captured(*pod))
        names.push_back(fmt::format("{}/{}", pod->meta.ns, pod->meta.name));
    }
    findings_.warn(kKind, object.meta, {object.selector.empty() ? "spec" : "spec.selector", ""},
                   fmt::format("NOT ENFORCED for pods that are not in the mesh ({}): label their "
                               "namespace istio.io/dataplane-mode: ambient",
                               some_of(std::move(names))));
  }

  void look_at_emptiness(const AuthorizationPolicyObject& object, const PodIndex::Pods& pods) {
    const model::AuthorizationPolicy& policy = object.policy;
    if (!policy.rules.empty()) return;
    if (policy.action == AuthorizationAction::deny) {
      return findings_.warn(kKind, object.meta, {"spec.rules", ""},
                            "a DENY policy without rules denies nothing: write rules: [{}] to deny "
                            "everything");
    }
    if (policy.dry_run()) return;
    std::vector<std::string> names;
    for (const PodObject* pod : pods) {
      if (!allowed_something_.contains(pod))
        names.push_back(fmt::format("{}/{}", pod->meta.ns, pod->meta.name));
    }
    if (names.empty()) return;
    findings_.warn(
        kKind, object.meta, {"spec.rules", ""},
        fmt::format("an ALLOW policy without rules that match here, and no other allows "
                    "anything: every connection to {} is DENIED; write rules, or a policy "
                    "that allows what is needed",
                    some_of(std::move(names))));
  }

  void look_at_match(const AuthorizationPolicyObject& object, const AuthorizationMatch& match,
                     const PodIndex::Pods& pods) {
    // An exclusion that excludes nobody bites as well: an ALLOW rule then lets everybody in.
    const auto both = [](const auto& constraint, auto&& look_at) {
      for (const auto& value : constraint.any_of) look_at(value, kMatchesNobody);
      for (const auto& value : constraint.none_of) look_at(value, kExcludesNobody);
    };
    both(match.principals, [&](const StringMatch& principal, std::string_view effect) {
      look_at_principal(object, principal, effect);
    });
    both(match.namespaces, [&](const StringMatch& ns, std::string_view effect) {
      look_at_namespace(object, ns, effect);
    });
    both(match.service_accounts,
         [&](const model::ServiceAccountMatch& account, std::string_view effect) {
           look_at_account(object, account, effect);
         });
    both(match.destination_ports, [&](std::uint16_t port, std::string_view effect) {
      look_at_port(object, port, effect, pods);
    });
  }

  void look_at_principal(const AuthorizationPolicyObject& object, const StringMatch& principal,
                         std::string_view effect) {
    // The others are said where they are read, or match by chance.
    if (principal.kind != StringMatch::Kind::exact || principal.text.starts_with("spiffe://"))
      return;
    if (principals_.contains(principal.text)) return;
    const auto parsed = SpiffeId::parse("spiffe://" + principal.text);
    std::string why = "no workload has this identity";
    if (!parsed) {
      why = "this is no identity: write TRUST_DOMAIN/ns/NAMESPACE/sa/SERVICE_ACCOUNT";
    } else if (parsed->trust_domain() != mesh_.assembly.state.mesh_config.trust_domain) {
      why += fmt::format(" (the trust domain here is {})",
                         mesh_.assembly.state.mesh_config.trust_domain);
    }
    if (parsed) why += near_principal(principal.text);
    findings_.warn(kKind, object.meta, {"spec.rules", principal.text},
                   fmt::format("{} {}: {}", in_quotes(principal.text), effect, why));
  }

  [[nodiscard]] std::string near_principal(std::string_view wanted) const {
    const std::vector<std::string_view> known(principals_.begin(), principals_.end());
    const auto near = nearest_word(wanted, known, 3);
    return near ? fmt::format("; write {}", *near)
                : "; write one that a pod's service account gives";
  }

  void look_at_namespace(const AuthorizationPolicyObject& object, const StringMatch& ns,
                         std::string_view effect) {
    if (ns.kind != StringMatch::Kind::exact || namespaces_.contains(ns.text)) return;
    const std::vector<std::string_view> known(namespaces_.begin(), namespaces_.end());
    const auto near = nearest_word(ns.text, known, 2);
    findings_.warn(kKind, object.meta, {"spec.rules", ns.text},
                   fmt::format("{} {}: there is no such namespace; write {}", in_quotes(ns.text),
                               effect, near ? *near : "one that is there"));
  }

  void look_at_account(const AuthorizationPolicyObject& object,
                       const model::ServiceAccountMatch& account, std::string_view effect) {
    const std::string& trust_domain = mesh_.assembly.state.mesh_config.trust_domain;
    const std::string principal =
        fmt::format("{}/ns/{}/sa/{}", trust_domain, account.ns, account.name);
    if (principals_.contains(principal)) return;
    findings_.warn(kKind, object.meta, {"spec.rules", account.name},
                   fmt::format("service account {}/{} {}: no pod runs with it; write one of a pod",
                               account.ns, account.name, effect));
  }

  void look_at_port(const AuthorizationPolicyObject& object, std::uint16_t port,
                    std::string_view effect, const PodIndex::Pods& pods) {
    std::uint16_t behind = 0;
    for (const PodObject* pod : pods) {
      const std::set<std::uint16_t> served = served_.of(*pod);
      if (served.empty() || served.contains(port)) return;
      if (behind == 0) behind = served_.behind(*pod, port);
    }
    const std::string text =
        behind != 0 ? fmt::format(
                          "port {} {}: it is a service's port, and policies compare the pod's own; "
                          "write {}",
                          port, effect, behind)
                    : fmt::format(
                          "port {} {}: none of the selected pods serves it; write one of theirs "
                          "({})",
                          port, effect, served_text(pods));
    findings_.warn(kKind, object.meta, {"spec.rules", fmt::format("{}", port)}, text);
  }

  [[nodiscard]] std::string served_text(const PodIndex::Pods& pods) const {
    std::vector<std::string> ports;
    for (const PodObject* pod : pods) {
      for (const std::uint16_t port : served_.of(*pod)) ports.push_back(fmt::format("{}", port));
    }
    return some_of(std::move(ports));
  }

  const LintMesh& mesh_;
  Findings& findings_;
  ServedPorts served_;
  std::set<std::string, std::less<>> principals_;
  std::set<std::string, std::less<>> namespaces_;
  std::unordered_set<const PodObject*> allowed_something_;
};

}  // namespace

void lint_authorization(const LintMesh& mesh, Findings& findings) {
  AuthorizationLint lint(mesh, findings);
  mesh.assembly.for_each(&FileObjects::authorization_policies,
                         [&](const AuthorizationPolicyObject& object) { lint.look(object); });
}

}  // namespace aquifer::manifests
