#include "config/manifests/assemble.h"

#include "config/manifests/assembly.h"
#include "config/manifests/kinds.h"
#include "config/manifests/limits.h"
#include "config/manifests/lint/lint.h"
#include "config/manifests/read_objects.h"
#include "config/manifests/selected_workloads.h"
#include "config/manifests/waypoints.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace aquifer::manifests {
namespace {

// The same object in two places has no meaning: neither place is the right one.
template <typename Object>
void refuse_duplicates(Assembly& assembly, std::vector<Object> FileObjects::* kind,
                       std::string_view kind_name) {
  std::unordered_map<std::string, const Origin*> seen;
  assembly.for_each(kind, [&](const Object& object) {
    const Metadata& meta = object.meta;
    const auto [at, added] = seen.emplace(fmt::format("{}/{}", meta.ns, meta.name), &meta.origin);
    if (added) return;
    assembly.report_at(Severity::error, meta.origin, object_name(kind_name, meta), "",
                       fmt::format("stands here again, first at {}:{}: keep one of them",
                                   *at->second->file, at->second->line));
  });
}

void refuse_too_many(Assembly& assembly) {
  std::size_t objects = 0;
  for (const FileObjects* file : assembly.files) objects += file->objects;
  if (objects <= kObjectsMax) return;
  assembly.report_at(Severity::error, {}, "", "",
                     fmt::format("{} objects in all; at most {} are read", objects, kObjectsMax));
}

// One line for each kind that is not read, however many objects there are of it.
struct OtherKind {
  const OtherObject* first = nullptr;
  std::size_t count = 0;
};

std::string others_text(const OtherKind& other) {
  const std::string& kind = other.first->kind;
  const std::string& group = other.first->api_group;
  const std::string and_more =
      other.count > 1 ? fmt::format(" (and {} more)", other.count - 1) : "";
  switch (kind_state(group, kind)) {
    case KindState::not_yet:
      return fmt::format("{} is not supported by this version yet{}: it has no effect", kind,
                         and_more);
    case KindState::unknown:
    case KindState::read: break;
  }
  return fmt::format("unknown kind {}{}{}: ignored", kind,
                     group.empty() ? "" : fmt::format(" of {}", group), and_more);
}

void warn_of_others(Assembly& assembly) {
  std::map<std::pair<std::string_view, std::string_view>, OtherKind> kinds;
  assembly.for_each(&FileObjects::others, [&](const OtherObject& object) {
    OtherKind& kind = kinds[{object.api_group, object.kind}];
    if (kind.first == nullptr) kind.first = &object;
    ++kind.count;
  });
  for (const auto& [name, other] : kinds) {
    assembly.report_at(Severity::warning, other.first->origin, other.first->object, "",
                       others_text(other));
  }
}

void index_objects(Assembly& assembly) {
  assembly.for_each(&FileObjects::namespaces, [&](const NamespaceObject& ns) {
    assembly.namespaces.emplace(ns.meta.name, &ns);
  });
  assembly.for_each(&FileObjects::nodes,
                    [&](const NodeObject& node) { assembly.nodes.emplace(node.meta.name, &node); });
  assembly.for_each(&FileObjects::waypoints, [&](const WaypointObject& waypoint) {
    assembly.waypoints.emplace(fmt::format("{}/{}", waypoint.meta.ns, waypoint.meta.name),
                               &waypoint);
  });
  assembly.for_each(&FileObjects::mesh_configs, [&](const MeshConfigObject& object) {
    assembly.state.mesh_config = object.config;
  });
  assembly.for_each(&FileObjects::pods, [&](const PodObject& pod) {
    assembly.pods.emplace(fmt::format("{}/{}", pod.meta.ns, pod.meta.name), &pod);
  });
}

}  // namespace

void Assembly::report_at(Severity severity, const Origin& origin, std::string object,
                         std::string field, std::string text) {
  report.add({.severity = severity,
              .file = origin.file != nullptr ? *origin.file : "",
              .line = origin.line,
              .object = std::move(object),
              .field = std::move(field),
              .text = std::move(text)});
}

std::string pod_uid(const LoadOptions& options, std::string_view ns, std::string_view name) {
  return fmt::format("{}//Pod/{}/{}", options.cluster_id, ns, name);
}

model::FullState assemble(std::span<const FileObjects* const> files, const LoadOptions& options,
                          Report& report, std::vector<Finding>* findings) {
  Assembly assembly{.files = files,
                    .options = options,
                    .report = report,
                    .namespaces = {},
                    .pods = {},
                    .pods_by_address = {},
                    .waypoints = {},
                    .policy_bindings = {},
                    .nodes = {},
                    .services = {},
                    .state = {}};
  for (const FileObjects* file : files) report.append(file->report);
  refuse_too_many(assembly);
  refuse_duplicates(assembly, &FileObjects::namespaces, "Namespace");
  refuse_duplicates(assembly, &FileObjects::pods, "Pod");
  refuse_duplicates(assembly, &FileObjects::services, "Service");
  refuse_duplicates(assembly, &FileObjects::slices, "EndpointSlice");
  refuse_duplicates(assembly, &FileObjects::mesh_configs, "ConfigMap");
  refuse_duplicates(assembly, &FileObjects::waypoints, "Gateway");
  refuse_duplicates(assembly, &FileObjects::authorization_policies, "AuthorizationPolicy");
  refuse_duplicates(assembly, &FileObjects::peer_authentications, "PeerAuthentication");
  refuse_duplicates(assembly, &FileObjects::request_authentications, "RequestAuthentication");
  refuse_duplicates(assembly, &FileObjects::network_policies, "NetworkPolicy");
  refuse_duplicates(assembly, &FileObjects::egress_policies, "EgressPolicy");
  refuse_duplicates(assembly, &FileObjects::service_entries, "ServiceEntry");
  refuse_duplicates(assembly, &FileObjects::workload_entries, "WorkloadEntry");
  refuse_duplicates(assembly, &FileObjects::http_routes, "HTTPRoute");
  refuse_duplicates(assembly, &FileObjects::grpc_routes, "GRPCRoute");
  refuse_duplicates(assembly, &FileObjects::tls_routes, "TLSRoute");
  refuse_duplicates(assembly, &FileObjects::tcp_routes, "TCPRoute");
  refuse_duplicates(assembly, &FileObjects::reference_grants, "ReferenceGrant");
  refuse_duplicates(assembly, &FileObjects::virtual_services, "VirtualService");
  refuse_duplicates(assembly, &FileObjects::destination_rules, "DestinationRule");
  warn_of_others(assembly);
  // What is wrong so far would only be said again in other words by what follows.
  if (report.has_errors()) return {};
  index_objects(assembly);
  check_waypoints(assembly);
  assembly.for_each(&FileObjects::namespaces, [&](const NamespaceObject& ns) {
    check_waypoint_labels(assembly, ns.meta, "Namespace");
  });
  add_policies(assembly);
  add_workloads(assembly);
  add_workload_entries(assembly);
  const SelectedWorkloads index(assembly);
  add_services(assembly, index);
  add_service_entries(assembly, index);
  settle_services(assembly);
  add_routing(assembly);
  add_security(assembly);
  add_network_policies(assembly);
  add_egress_policies(assembly);
  if (findings != nullptr && !report.has_errors()) *findings = lint(assembly);
  return std::move(assembly.state);
}

}  // namespace aquifer::manifests
