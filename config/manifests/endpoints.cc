#include "config/manifests/endpoints.h"

#include "config/manifests/entry_workload.h"
#include "config/manifests/read_objects.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

namespace aquifer::manifests {
namespace {

// The ports of one pod: a named target is looked up in its containers, and left out where they have
// no such name.
std::vector<model::PortMapping> ports_of(const ServiceObject& service, const PodObject& pod) {
  std::vector<model::PortMapping> result;
  for (const ServicePortObject& port : service.ports) {
    if (port.target != 0) {
      result.push_back({port.port, port.target});
      continue;
    }
    const auto named = std::ranges::find(pod.named_ports, port.target_name, &NamedPort::name);
    if (named != pod.named_ports.end()) result.push_back({port.port, named->number});
  }
  return result;
}

// A VM has no containers: it maps the name of the target itself.
std::vector<model::PortMapping> ports_of(const ServiceObject& service, const EntrySpec& spec) {
  std::vector<model::PortMapping> result;
  for (const ServicePortObject& port : service.ports) {
    if (port.target != 0) {
      result.push_back({port.port, port.target});
      continue;
    }
    const auto named = spec.ports.find(port.target_name);
    if (named != spec.ports.end()) result.push_back({port.port, named->second});
  }
  return result;
}

// A slice names its ports as the service does.
std::vector<model::PortMapping> ports_of(const ServiceObject& service,
                                         const EndpointSliceObject& slice) {
  std::vector<model::PortMapping> result;
  for (const ServicePortObject& port : service.ports) {
    const auto at = std::ranges::find(slice.ports, port.name, &SlicePort::name);
    if (at == slice.ports.end()) continue;
    const std::uint16_t target = at->port.value_or(port.target);
    if (target != 0) result.push_back({port.port, target});
  }
  return result;
}

// One pod may stand in several slices: one for each family of addresses, or one for each set of
// ports.
void merge(model::Endpoint& into, const model::Endpoint& other) {
  if (other.health == model::Health::healthy) into.health = model::Health::healthy;
  for (const model::PortMapping& port : other.ports) {
    if (!into.target_port(port.service_port)) into.ports.push_back(port);
  }
}

}  // namespace

model::EndpointSet endpoint_set(std::vector<model::Endpoint> endpoints) {
  model::EndpointSet result;
  std::ranges::sort(endpoints, {}, &model::Endpoint::workload_uid);
  for (model::Endpoint& endpoint : endpoints) {
    const bool repeated =
        !result.endpoints.empty() && result.endpoints.back().workload_uid == endpoint.workload_uid;
    if (repeated) continue;
    std::ranges::sort(endpoint.ports, {}, &model::PortMapping::service_port);
    result.weight_max = std::max(result.weight_max, endpoint.weight);
    result.endpoints.push_back(std::move(endpoint));
  }
  return result;
}

EndpointFinder::EndpointFinder(Assembly& assembly, const SelectedWorkloads& index)
    : assembly_(assembly), index_(index) {
  assembly.for_each(&FileObjects::slices, [&](const EndpointSliceObject& slice) {
    if (!slice.service.empty())
      slices_[fmt::format("{}/{}", slice.meta.ns, slice.service)].push_back(&slice);
  });
}

model::EndpointSet EndpointFinder::find(const ServiceObject& service) {
  EndpointsByUid endpoints;
  if (slices_.contains(fmt::format("{}/{}", service.meta.ns, service.meta.name))) {
    add_from_slices(service, endpoints);
    // Kubernetes knows no VMs: its slices have pods alone.
    add_selected_entries(service, endpoints);
  } else {
    add_selected_pods(service, endpoints);
    add_selected_entries(service, endpoints);
    warn_of_unserved_ports(service, endpoints);
  }
  std::vector<model::Endpoint> list;
  list.reserve(endpoints.size());
  for (auto& [uid, endpoint] : endpoints) list.push_back(std::move(endpoint));
  return endpoint_set(std::move(list));
}

void EndpointFinder::add_from_slices(const ServiceObject& service, EndpointsByUid& endpoints) {
  for (const EndpointSliceObject* slice :
       slices_[fmt::format("{}/{}", service.meta.ns, service.meta.name)]) {
    const std::vector<model::PortMapping> ports = ports_of(service, *slice);
    for (const SliceEndpoint& entry : slice->endpoints) {
      model::Endpoint endpoint;
      endpoint.workload_uid = uid_of(*slice, entry);
      endpoint.health = entry.ready ? model::Health::healthy : model::Health::unhealthy;
      endpoint.ports = ports;
      const auto [at, added] = endpoints.try_emplace(endpoint.workload_uid, endpoint);
      if (!added) merge(at->second, endpoint);
    }
  }
}

void EndpointFinder::add_selected_pods(const ServiceObject& service, EndpointsByUid& endpoints) {
  for (const PodObject* pod : index_.pods(service.meta.ns, service.selector)) {
    model::Endpoint endpoint;
    endpoint.workload_uid = pod_uid(assembly_.options, pod->meta.ns, pod->meta.name);
    endpoint.health =
        pod->ready && !pod->meta.deleting ? model::Health::healthy : model::Health::unhealthy;
    endpoint.ports = ports_of(service, *pod);
    std::string uid = endpoint.workload_uid;
    endpoints.emplace(std::move(uid), std::move(endpoint));
  }
}

void EndpointFinder::add_selected_entries(const ServiceObject& service, EndpointsByUid& endpoints) {
  for (const WorkloadEntryObject* entry : index_.entries(service.meta.ns, service.selector)) {
    model::Endpoint endpoint;
    endpoint.workload_uid = workload_entry_uid(assembly_, entry->meta);
    endpoint.health = entry->healthy ? model::Health::healthy : model::Health::unhealthy;
    endpoint.weight = entry->spec.weight;
    endpoint.ports = ports_of(service, entry->spec);
    std::string uid = endpoint.workload_uid;
    endpoints.emplace(std::move(uid), std::move(endpoint));
  }
}

// The pod that the slice names, else the pod that has the address, else a workload made for the
// address alone.
std::string EndpointFinder::uid_of(const EndpointSliceObject& slice,
                                   const SliceEndpoint& endpoint) {
  const auto named = assembly_.pods.find(fmt::format("{}/{}", endpoint.pod_ns, endpoint.pod_name));
  if (!endpoint.pod_name.empty() && named != assembly_.pods.end() && is_workload(*named->second)) {
    return pod_uid(assembly_.options, endpoint.pod_ns, endpoint.pod_name);
  }
  const auto by_address = assembly_.pods_by_address.find(endpoint.addresses.front());
  if (by_address != assembly_.pods_by_address.end()) {
    const Metadata& meta = by_address->second->meta;
    return pod_uid(assembly_.options, meta.ns, meta.name);
  }
  return add_address_workload(slice, endpoint);
}

std::string EndpointFinder::add_address_workload(const EndpointSliceObject& slice,
                                                 const SliceEndpoint& endpoint) {
  std::string uid =
      fmt::format("{}/discovery.k8s.io/EndpointSlice/{}/{}/{}", assembly_.options.cluster_id,
                  slice.meta.ns, slice.meta.name, endpoint.addresses.front().to_string());
  if (!address_workloads_.emplace(uid, true).second) return uid;
  model::Workload workload;
  workload.uid = uid;
  workload.name = slice.meta.name;
  workload.ns = slice.meta.ns;
  workload.node = endpoint.node;
  workload.cluster_id = assembly_.options.cluster_id;
  workload.network = assembly_.options.network;
  workload.workload_name = slice.meta.name;
  workload.canonical_name = slice.service;
  workload.canonical_revision = "latest";
  workload.locality.zone = endpoint.zone;
  workload.addresses = endpoint.addresses;
  assembly_.state.workloads.push_back(std::make_shared<const model::Workload>(std::move(workload)));
  return uid;
}

void EndpointFinder::warn_of_unserved_ports(const ServiceObject& service,
                                            const EndpointsByUid& endpoints) {
  if (endpoints.empty()) return;
  for (const ServicePortObject& port : service.ports) {
    const bool served = std::ranges::any_of(endpoints, [&](const auto& entry) {
      return entry.second.target_port(port.port).has_value();
    });
    if (served) continue;
    const Origin origin{service.meta.origin.file, port.line};
    assembly_.report_at(
        Severity::warning, origin, object_name("Service", service.meta), "spec.ports",
        fmt::format(
            "targetPort: no container of the selected pods has a TCP port named \"{}\": nothing "
            "serves port {}; write a name of theirs, or a number",
            port.target_name.substr(0, 60), port.port));
  }
}

}  // namespace aquifer::manifests
