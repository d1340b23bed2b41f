#include "config/manifests/lint/lint.h"

#include "config/manifests/read_objects.h"

namespace aquifer::manifests {
namespace {

// "spec.selector" -> {"spec", "selector"}
std::vector<std::string> path_of(std::string_view field) {
  std::vector<std::string> path;
  while (!field.empty()) {
    const std::size_t dot = field.find('.');
    path.emplace_back(field.substr(0, dot));
    field.remove_prefix(dot == std::string_view::npos ? field.size() : dot + 1);
  }
  return path;
}

}  // namespace

void Findings::error(std::string_view kind, const Metadata& meta, const Place& place,
                     std::string text) {
  add(Severity::error, kind, meta, place, std::move(text));
}

void Findings::warn(std::string_view kind, const Metadata& meta, const Place& place,
                    std::string text) {
  add(Severity::warning, kind, meta, place, std::move(text));
}

void Findings::add(Severity severity, std::string_view kind, const Metadata& meta,
                   const Place& place, std::string text) {
  const Origin& origin = meta.origin;
  findings_.push_back({.diagnostic = {.severity = severity,
                                      .file = origin.file != nullptr ? *origin.file : "",
                                      .line = origin.line,
                                      .object = object_name(kind, meta),
                                      .field = place.field,
                                      .text = std::move(text)},
                       .path = path_of(place.field),
                       .value = place.value});
}

LintMesh::LintMesh(const Assembly& mesh) : assembly(mesh), pods(mesh) {
  for (const model::WorkloadPtr& workload : mesh.state.workloads) {
    if (workload->capture == model::Capture::yes) captured_.insert(workload->uid);
  }
}

bool LintMesh::is_root(std::string_view ns) const {
  return ns == assembly.state.mesh_config.root_namespace;
}

PodIndex::Pods LintMesh::selected(std::string_view ns, const StringMap& selector) const {
  return pods.select(is_root(ns) ? std::string_view() : ns, selector);
}

bool LintMesh::is_captured(const PodObject& pod) const {
  return captured_.contains(pod_uid(assembly.options, pod.meta.ns, pod.meta.name));
}

std::vector<Finding> lint(const Assembly& assembly) {
  const LintMesh mesh(assembly);
  Findings findings;
  lint_labels(mesh, findings);
  lint_pods(mesh, findings);
  lint_services(mesh, findings);
  lint_waypoints(mesh, findings);
  lint_authorization(mesh, findings);
  lint_authorization_pairs(mesh, findings);
  lint_peer_authentication(mesh, findings);
  lint_egress(mesh, findings);
  lint_network_peers(mesh, findings);
  lint_routes(mesh, findings);
  return findings.take();
}

}  // namespace aquifer::manifests
