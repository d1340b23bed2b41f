// PeerAuthentications that hold for nobody, that nobody enforces, or that shut out clients who
// cannot do otherwise.
#include "config/manifests/lint/lint.h"
#include "config/manifests/lint/words.h"

#include <fmt/format.h>

#include <algorithm>

namespace aquifer::manifests {
namespace {

constexpr std::string_view kKind = "PeerAuthentication";

std::string full_name(const PodObject& pod) {
  return fmt::format("{}/{}", pod.meta.ns, pod.meta.name);
}

class PeerLint {
 public:
  PeerLint(const LintMesh& mesh, Findings& findings) : mesh_(mesh), findings_(findings) {}

  void look(const PeerAuthenticationObject& object) {
    // A selector in the root namespace has no effect, as is said when the mesh is loaded.
    if (mesh_.is_root(object.meta.ns) && !object.selector.empty()) return;
    const PodIndex::Pods pods = mesh_.selected(object.meta.ns, object.selector);
    if (pods.empty()) return nobody(object);
    look_at_ports(object, pods);
    if (object.mode == MtlsMode::strict) look_at_strict(object, pods);
  }

 private:
  void nobody(const PeerAuthenticationObject& object) {
    if (object.selector.empty()) {
      return findings_.warn(
          kKind, object.meta, {"metadata.namespace", ""},
          fmt::format("there is no pod in namespace {}: it holds for nobody; write it "
                      "into the namespace of the pods",
                      object.meta.ns));
    }
    findings_.warn(kKind, object.meta, {"spec.selector.matchLabels", ""},
                   fmt::format("selects no pod: {}. Write labels that the pods have",
                               mesh_.pods.why_none(object.meta.ns, object.selector)));
  }

  void look_at_ports(const PeerAuthenticationObject& object, const PodIndex::Pods& pods) {
    for (const auto& [port, mode] : object.ports) {
      const bool unknown = std::ranges::all_of(pods, [&](const PodObject* pod) {
        return !pod->ports.empty() && std::ranges::find(pod->ports, port) == pod->ports.end();
      });
      if (!unknown) continue;
      findings_.warn(
          kKind, object.meta, {"spec.portLevelMtls", fmt::format("{}", port)},
          fmt::format("none of the selected pods declares port {}: write the pods' own port, "
                      "not a service's",
                      port));
    }
  }

  void look_at_strict(const PeerAuthenticationObject& object, const PodIndex::Pods& pods) {
    std::vector<std::string> outside;
    for (const PodObject* pod : pods) {
      if (!mesh_.is_captured(*pod)) outside.push_back(full_name(*pod));
    }
    if (outside.size() == pods.size()) {
      return findings_.warn(
          kKind, object.meta, {"spec.mtls", ""},
          fmt::format("STRICT is NOT ENFORCED: none of the pods is in the mesh ({}); label "
                      "their namespace istio.io/dataplane-mode: ambient",
                      some_of(std::move(outside))));
    }
    if (outside.empty() || !object.selector.empty()) return;
    findings_.warn(
        kKind, object.meta, {"spec.mtls", ""},
        fmt::format("STRICT refuses plaintext, and {} of the same {} cannot do otherwise: their "
                    "connections to the others are DENIED; bring them into the mesh, or write "
                    "PERMISSIVE for what they need",
                    some_of(std::move(outside)),
                    mesh_.is_root(object.meta.ns) ? "mesh" : "namespace"));
  }

  const LintMesh& mesh_;
  Findings& findings_;
};

}  // namespace

void lint_peer_authentication(const LintMesh& mesh, Findings& findings) {
  PeerLint lint(mesh, findings);
  mesh.assembly.for_each(&FileObjects::peer_authentications,
                         [&](const PeerAuthenticationObject& object) { lint.look(object); });
}

}  // namespace aquifer::manifests
