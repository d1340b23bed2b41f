// Pods -> workloads.
#include "config/manifests/assembly.h"
#include "config/manifests/enrolment.h"
#include "config/manifests/read_objects.h"
#include "config/manifests/waypoints.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

namespace aquifer::manifests {
namespace {

model::Workload workload_of(const Assembly& assembly, const PodObject& pod) {
  const auto ns = assembly.namespaces.find(pod.meta.ns);
  const NamespaceObject* ns_object = ns == assembly.namespaces.end() ? nullptr : ns->second;
  model::Workload workload;
  workload.uid = pod_uid(assembly.options, pod.meta.ns, pod.meta.name);
  workload.name = pod.meta.name;
  workload.ns = pod.meta.ns;
  // The parts were checked where they were read, so that this cannot fail for what a file says.
  workload.identity =
      SpiffeId::make(assembly.state.mesh_config.trust_domain, pod.meta.ns, pod.service_account)
          .value_or(SpiffeId());
  workload.pod_uid = pod.meta.uid;
  workload.node = pod.node;
  workload.cluster_id = assembly.options.cluster_id;
  const std::string* network = pod.meta.label("topology.istio.io/network");
  workload.network = network != nullptr ? *network : assembly.options.network;
  const WorkloadName name = workload_name(pod.meta);
  workload.workload_name = name.name;
  workload.workload_type = name.type;
  workload.canonical_name = canonical_name(pod.meta, name.name);
  workload.canonical_revision = canonical_revision(pod.meta);
  const auto node = assembly.nodes.find(pod.node);
  workload.locality = locality(pod.meta, node == assembly.nodes.end() ? nullptr : node->second);
  workload.addresses = pod.addresses;
  workload.capture = is_enrolled(pod, ns_object);
  workload.protocol = tunnel_protocol(pod, workload.capture);
  if (pod.host_network) workload.network_mode = model::NetworkMode::host_network;
  workload.health =
      pod.ready && !pod.meta.deleting ? model::Health::healthy : model::Health::unhealthy;
  if (const std::string* netns = pod.meta.annotation("aquifer.dev/netns"))
    workload.netns_path = *netns;
  workload.waypoint = workload_waypoint(assembly, pod.meta);
  workload.authorization_policies = assembly.policy_bindings.of(pod.meta.ns, pod.meta.labels);
  return workload;
}

// Which of two pods with one address is found by it is decided in the snapshot; that there are two
// is worth saying.
void index_addresses(Assembly& assembly, const PodObject& pod) {
  if (pod.host_network) return;
  for (const IpAddress& address : pod.addresses) {
    const auto [at, added] = assembly.pods_by_address.emplace(address, &pod);
    if (added) continue;
    assembly.report_at(
        Severity::warning, pod.meta.origin, object_name("Pod", pod.meta), "status.podIP",
        fmt::format("{} is also the address of {}: one of them will not be found by it",
                    address.to_string(), object_name("Pod", at->second->meta)));
  }
}

void refuse_shared_netns(Assembly& assembly) {
  std::map<std::pair<std::string_view, std::string_view>, const PodObject*> owners;
  assembly.for_each(&FileObjects::pods, [&](const PodObject& pod) {
    const std::string* netns = pod.meta.annotation("aquifer.dev/netns");
    if (netns == nullptr || !is_workload(pod)) return;
    const auto [at, added] =
        owners.emplace(std::pair(std::string_view(pod.node), std::string_view(*netns)), &pod);
    if (added) return;
    assembly.report_at(
        Severity::error, pod.meta.origin, object_name("Pod", pod.meta), "metadata.annotations",
        fmt::format(
            "aquifer.dev/netns: {} is also that of {} on the same node: each pod has its own",
            *netns, object_name("Pod", at->second->meta)));
  });
}

}  // namespace

bool is_workload(const PodObject& pod) {
  return !pod.addresses.empty() && pod.phase != "Succeeded" && pod.phase != "Failed";
}

void add_workloads(Assembly& assembly) {
  refuse_shared_netns(assembly);
  assembly.for_each(&FileObjects::pods, [&](const PodObject& pod) {
    if (!is_workload(pod)) return;
    index_addresses(assembly, pod);
    check_waypoint_labels(assembly, pod.meta, "Pod");
    assembly.state.workloads.push_back(
        std::make_shared<const model::Workload>(workload_of(assembly, pod)));
  });
}

}  // namespace aquifer::manifests
