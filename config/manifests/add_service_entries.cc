// ServiceEntries: one service for each host, its endpoints, and the workloads behind them.
#include "config/manifests/auto_addresses.h"
#include "config/manifests/endpoints.h"
#include "config/manifests/enrolment.h"
#include "config/manifests/entry_workload.h"
#include "config/manifests/read_objects.h"
#include "config/manifests/service_meta.h"
#include "config/manifests/waypoints.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

namespace aquifer::manifests {
namespace {

bool is_wildcard(std::string_view host) {
  return host.starts_with('*');
}

bool wants_addresses(const ServiceEntryObject& entry, std::string_view host) {
  if (!entry.addresses.empty() || is_wildcard(host)) return false;
  const std::string* asked = entry.meta.label("networking.istio.io/enable-autoallocate-ip");
  if (asked != nullptr && *asked == "false") return false;
  // Where the client's own choice of address counts, one of ours would lead nowhere.
  return entry.resolution == Resolution::static_ || entry.resolution == Resolution::dns;
}

std::vector<IpAddress> assigned_to(const ServiceEntryObject& entry, std::string_view host) {
  std::vector<IpAddress> result;
  for (const AssignedAddress& assigned : entry.assigned) {
    if (assigned.host == host || assigned.host.empty()) result.push_back(assigned.address);
  }
  return result;
}

AutoAddresses assign_addresses(Assembly& assembly) {
  AutoAddresses addresses;
  assembly.for_each(&FileObjects::services, [&](const ServiceObject& service) {
    for (const IpAddress& address : service.addresses) addresses.take(address);
  });
  assembly.for_each(&FileObjects::service_entries, [&](const ServiceEntryObject& entry) {
    for (const Cidr& cidr : entry.addresses) addresses.take(cidr.address());
    for (const AssignedAddress& assigned : entry.assigned) addresses.take(assigned.address);
    for (const std::string& host : entry.hosts) {
      if (wants_addresses(entry, host) && assigned_to(entry, host).empty())
        addresses.want(entry.meta.ns, entry.meta.name, host);
    }
  });
  if (!addresses.assign()) {
    assembly.report_at(Severity::warning, {}, "", "",
                       fmt::format("more than {} hosts of ServiceEntries have no addresses: some "
                                   "get none; write addresses",
                                   kAutoAddressesMax));
  }
  return addresses;
}

bool is_single(const Cidr& cidr) {
  return cidr.prefix_bits() == (cidr.address().is_v4() ? 32 : 128);
}

class EntryServices {
 public:
  EntryServices(Assembly& assembly, const SelectedWorkloads& index)
      : assembly_(assembly), index_(index), addresses_(assign_addresses(assembly)) {}

  void add(const ServiceEntryObject& entry) {
    check_waypoint_labels(assembly_, entry.meta, "ServiceEntry");
    warn_of_names(entry);
    const std::vector<model::Endpoint> shared = shared_endpoints(entry);
    for (const std::string& host : entry.hosts) {
      std::vector<model::Endpoint> endpoints = shared;
      if (is_resolved_by_host(entry) && !is_wildcard(host))
        endpoints.push_back(endpoint_for_host(entry, host));
      assembly_.services.push_back({.service = service_of(entry, host),
                                    .endpoints = endpoint_set(std::move(endpoints)),
                                    .meta = &entry.meta,
                                    .kubernetes = false});
    }
  }

 private:
  static bool is_resolved_by_host(const ServiceEntryObject& entry) {
    return entry.resolution == Resolution::dns && entry.endpoints.empty() && entry.selector.empty();
  }

  model::Service service_of(const ServiceEntryObject& entry, const std::string& host) const {
    model::Service service;
    service.ns = entry.meta.ns;
    service.name = entry.meta.name;
    service.hostname = host;
    add_addresses(entry, host, service);
    for (const ServiceEntryPort& port : entry.ports) {
      service.ports.push_back({.port = port.number,
                               .name = port.name,
                               .target_port = port.target,
                               .target_port_name = "",
                               .app_protocol = port.protocol});
    }
    const bool by_client =
        entry.resolution == Resolution::none || entry.resolution == Resolution::dynamic_dns;
    if (by_client) {
      service.balancing.mode = model::BalancingMode::passthrough;
      service.balancing.health = model::HealthPolicy::allow_all;
    } else {
      service.balancing = load_balancing(traffic_distribution(assembly_, entry.meta, ""));
    }
    for (const std::string& name : entry.subject_alt_names) {
      if (auto id = SpiffeId::parse(name)) service.subject_alt_names.push_back(std::move(*id));
    }
    service.waypoints = service_waypoints(assembly_, entry.meta);
    service.export_to = export_to(entry.export_to, entry.meta.ns);
    return service;
  }

  void add_addresses(const ServiceEntryObject& entry, const std::string& host,
                     model::Service& service) const {
    const std::string& network = assembly_.options.network;
    for (const Cidr& cidr : entry.addresses) {
      if (is_single(cidr)) {
        service.vips.push_back({network, cidr.address()});
      } else {
        service.cidr_vips.push_back({network, cidr});
      }
    }
    if (!wants_addresses(entry, host)) return;
    std::vector<IpAddress> given = assigned_to(entry, host);
    if (given.empty()) given = addresses_.of(entry.meta.ns, entry.meta.name, host);
    for (const IpAddress& address : given) service.vips.push_back({network, address});
  }

  // Those that serve every host of the entry.
  std::vector<model::Endpoint> shared_endpoints(const ServiceEntryObject& entry) {
    std::vector<model::Endpoint> result;
    for (const EntrySpec& spec : entry.endpoints) {
      const std::string uid = entry_endpoint_uid(assembly_, entry.meta, place_of(spec));
      const bool repeated =
          std::ranges::find(result, uid, &model::Endpoint::workload_uid) != result.end();
      if (repeated) {
        assembly_.report_at(Severity::error, {entry.meta.origin.file, spec.line},
                            object_name("ServiceEntry", entry.meta), "spec.endpoints",
                            fmt::format("{} stands here twice: keep one", place_of(spec)));
        continue;
      }
      add_workload(entry_workload(assembly_, entry.meta, spec, uid));
      result.push_back(endpoint_of(entry, uid, spec, model::Health::healthy));
    }
    for (const PodObject* pod : index_.pods(entry.meta.ns, entry.selector)) {
      model::Endpoint endpoint;
      endpoint.workload_uid = pod_uid(assembly_.options, pod->meta.ns, pod->meta.name);
      endpoint.health =
          pod->ready && !pod->meta.deleting ? model::Health::healthy : model::Health::unhealthy;
      for (const ServiceEntryPort& port : entry.ports)
        endpoint.ports.push_back({port.number, port.target});
      result.push_back(std::move(endpoint));
    }
    for (const WorkloadEntryObject* workload : index_.entries(entry.meta.ns, entry.selector)) {
      const std::string uid = workload_entry_uid(assembly_, workload->meta);
      const model::Health health =
          workload->healthy ? model::Health::healthy : model::Health::unhealthy;
      result.push_back(endpoint_of(entry, uid, workload->spec, health));
    }
    return result;
  }

  // The host itself, to be resolved for each connection.
  model::Endpoint endpoint_for_host(const ServiceEntryObject& entry, const std::string& host) {
    EntrySpec spec;
    spec.hostname = host;
    spec.labels = entry.meta.labels;
    const std::string uid = entry_endpoint_uid(assembly_, entry.meta, host);
    add_workload(entry_workload(assembly_, entry.meta, spec, uid));
    return endpoint_of(entry, uid, spec, model::Health::healthy);
  }

  // An endpoint may say its own port, by the name of the entry's.
  static model::Endpoint endpoint_of(const ServiceEntryObject& entry, const std::string& uid,
                                     const EntrySpec& spec, model::Health health) {
    model::Endpoint endpoint;
    endpoint.workload_uid = uid;
    endpoint.health = health;
    endpoint.weight = spec.weight;
    for (const ServiceEntryPort& port : entry.ports) {
      const auto own = spec.ports.find(port.name);
      endpoint.ports.push_back({port.number, own != spec.ports.end() ? own->second : port.target});
    }
    return endpoint;
  }

  void add_workload(model::Workload workload) {
    assembly_.state.workloads.push_back(
        std::make_shared<const model::Workload>(std::move(workload)));
  }

  void warn_of_names(const ServiceEntryObject& entry) {
    for (const std::string& name : entry.subject_alt_names) {
      if (SpiffeId::parse(name)) continue;
      assembly_.report_at(
          Severity::warning, entry.meta.origin, object_name("ServiceEntry", entry.meta),
          "spec.subjectAltNames",
          fmt::format("\"{}\" is no identity of the mesh and ignored: write one such as "
                      "spiffe://cluster.local/ns/default/sa/default",
                      name.substr(0, 100)));
    }
  }

  Assembly& assembly_;
  const SelectedWorkloads& index_;
  AutoAddresses addresses_;
};

}  // namespace

void add_service_entries(Assembly& assembly, const SelectedWorkloads& index) {
  EntryServices services(assembly, index);
  assembly.for_each(&FileObjects::service_entries,
                    [&](const ServiceEntryObject& entry) { services.add(entry); });
}

}  // namespace aquifer::manifests
