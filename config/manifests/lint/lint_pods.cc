// Pods whose labels ask for the mesh and which stay out of it, or the other way round.
#include "config/manifests/enrolment.h"
#include "config/manifests/lint/lint.h"
#include "config/manifests/lint/words.h"

#include <fmt/format.h>

#include <map>

namespace aquifer::manifests {
namespace {

constexpr std::string_view kMode = "istio.io/dataplane-mode";

bool is_label(const Metadata& meta, std::string_view name, std::string_view value) {
  const std::string* found = meta.label(name);
  return found != nullptr && *found == value;
}

const NamespaceObject* namespace_of(const Assembly& assembly, const Metadata& meta) {
  const auto at = assembly.namespaces.find(meta.ns);
  return at == assembly.namespaces.end() ? nullptr : at->second;
}

// Does the pod, or else its namespace, ask for the mesh?
bool asks_for_ambient(const PodObject& pod, const NamespaceObject* ns) {
  if (const std::string* own = pod.meta.label(kMode)) return *own == "ambient";
  return ns != nullptr && is_label(ns->meta, kMode, "ambient");
}

void look_at_sidecar(const PodObject& pod, const NamespaceObject* ns, Findings& findings) {
  constexpr std::string_view kStatus = "sidecar.istio.io/status";
  if (pod.meta.annotation(kStatus) == nullptr || !asks_for_ambient(pod, ns)) return;
  // A dump says itself what became of the pod.
  if (pod.meta.annotation("ambient.istio.io/redirection") != nullptr) return;
  findings.warn(
      "Pod", pod.meta, {"metadata.annotations", std::string(kStatus)},
      fmt::format("{}: the pod has a sidecar and so stays out of the ambient mesh that {} "
                  "asks for: make it again without the sidecar, or label it {}: none",
                  kStatus, pod.meta.label(kMode) != nullptr ? "its own label" : "its namespace",
                  kMode));
}

void look_at_host_network(const PodObject& pod, Findings& findings) {
  if (!pod.host_network || !is_label(pod.meta, kMode, "ambient")) return;
  findings.warn(
      "Pod", pod.meta, {"metadata.labels", std::string(kMode)},
      fmt::format("{}: has no effect on a pod of the host's network, whose traffic is never "
                  "captured: take the label or hostNetwork away",
                  kMode));
}

void look_at_waypoint_pod(const Assembly& assembly, const PodObject& pod, const NamespaceObject* ns,
                          Findings& findings) {
  const std::string* gateway = pod.meta.label("gateway.networking.k8s.io/gateway-name");
  if (gateway == nullptr || is_enrolled(pod, ns) == model::Capture::no) return;
  if (!assembly.waypoints.contains(fmt::format("{}/{}", pod.meta.ns, *gateway))) return;
  findings.warn("Pod", pod.meta,
                {"metadata.labels", std::string("gateway.networking.k8s.io/gateway-name")},
                fmt::format("{}: this pod is the proxy of Gateway {} and its own traffic would be "
                            "captured once more: label it {}: none",
                            kMode, *gateway, kMode));
}

// A namespace that is misspelt in pods is found nowhere else: they just stay out of the mesh.
void look_at_namespaces(const Assembly& assembly, Findings& findings) {
  // A mesh of pods alone, as for a single namespace, is not missing anything.
  if (assembly.namespaces.empty()) return;
  std::map<std::string_view, const PodObject*> strays;
  assembly.for_each(&FileObjects::pods, [&](const PodObject& pod) {
    if (is_workload(pod) && namespace_of(assembly, pod.meta) == nullptr)
      strays.emplace(pod.meta.ns, &pod);
  });
  std::vector<std::string_view> known;
  for (const auto& [name, ns] : assembly.namespaces) known.push_back(name);
  for (const auto& [name, pod] : strays) {
    const auto near = nearest_word(name, known, 2);
    // "default" is there in every cluster and needs no object.
    if (!near && name == "default") continue;
    findings.warn(
        "Pod", pod->meta, {"metadata.namespace", ""},
        fmt::format(
            "there is no Namespace {}, so its pods are in the mesh only by labels of "
            "their own: {}",
            name,
            near ? fmt::format("write {}, or add that Namespace", *near) : "add that Namespace"));
  }
}

}  // namespace

void lint_pods(const LintMesh& mesh, Findings& findings) {
  const Assembly& assembly = mesh.assembly;
  assembly.for_each(&FileObjects::pods, [&](const PodObject& pod) {
    if (!is_workload(pod)) return;
    const NamespaceObject* ns = namespace_of(assembly, pod.meta);
    look_at_sidecar(pod, ns, findings);
    look_at_host_network(pod, findings);
    look_at_waypoint_pod(assembly, pod, ns, findings);
  });
  look_at_namespaces(assembly, findings);
}

}  // namespace aquifer::manifests
