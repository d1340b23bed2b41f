// EgressPolicies and NetworkPolicies that hold for nobody, or that no proxy enforces.
#include "config/manifests/lint/lint.h"
#include "config/manifests/lint/words.h"

#include <fmt/format.h>

#include <algorithm>

namespace aquifer::manifests {
namespace {

class EgressLint {
 public:
  EgressLint(const LintMesh& mesh, Findings& findings) : mesh_(mesh), findings_(findings) {}

  void look(const EgressPolicyObject& object) {
    const PodIndex::Pods pods = mesh_.selected(object.meta.ns, object.selector);
    if (!pods.empty()) return enforced("EgressPolicy", object.meta, pods, !object.selector.empty());
    const std::string_view ns =
        mesh_.is_root(object.meta.ns) ? "" : std::string_view(object.meta.ns);
    nobody("EgressPolicy", object.meta, mesh_.pods.why_none(ns, object.selector),
           object.selector.empty() ? "metadata.namespace" : "spec.selector");
  }

  void look(const NetworkPolicyObject& object) {
    PodIndex::Pods pods;
    std::ranges::copy_if(
        mesh_.pods.in(object.meta.ns), std::back_inserter(pods),
        [&](const PodObject* pod) { return object.pods.matches(pod->meta.labels); });
    if (!pods.empty()) return enforced("NetworkPolicy", object.meta, pods, !object.pods.empty());
    const bool by_labels = object.pods.match_expressions.empty();
    nobody("NetworkPolicy", object.meta,
           by_labels ? mesh_.pods.why_none(object.meta.ns, object.pods.match_labels)
                     : fmt::format("no pod of namespace {} fits matchLabels and matchExpressions",
                                   object.meta.ns),
           object.pods.empty() ? "metadata.namespace" : "spec.podSelector");
  }

 private:
  void nobody(std::string_view kind, const Metadata& meta, const std::string& why,
              std::string_view field) {
    findings_.warn(
        kind, meta, {std::string(field), ""},
        fmt::format("selects no pod, so nothing is restricted: {}. Write labels that the pods "
                    "have",
                    why));
  }

  // Only a pod's own proxy restricts it. For a whole namespace it is usual that some stay outside.
  void enforced(std::string_view kind, const Metadata& meta, const PodIndex::Pods& pods,
                bool selected) {
    std::vector<std::string> outside;
    for (const PodObject* pod : pods) {
      if (!mesh_.is_captured(*pod))
        outside.push_back(fmt::format("{}/{}", pod->meta.ns, pod->meta.name));
    }
    if (outside.empty() || (!selected && outside.size() < pods.size())) return;
    findings_.warn(
        kind, meta, {"spec", ""},
        fmt::format("NOT ENFORCED here for pods that are not in the mesh ({}): label their "
                    "namespace istio.io/dataplane-mode: ambient",
                    some_of(std::move(outside))));
  }

  const LintMesh& mesh_;
  Findings& findings_;
};

}  // namespace

void lint_egress(const LintMesh& mesh, Findings& findings) {
  EgressLint lint(mesh, findings);
  mesh.assembly.for_each(&FileObjects::egress_policies,
                         [&](const EgressPolicyObject& object) { lint.look(object); });
  mesh.assembly.for_each(&FileObjects::network_policies,
                         [&](const NetworkPolicyObject& object) { lint.look(object); });
}

}  // namespace aquifer::manifests
