// Services and their endpoints.
#include "config/manifests/assembly.h"
#include "config/manifests/endpoints.h"
#include "config/manifests/enrolment.h"
#include "config/manifests/read_objects.h"
#include "config/manifests/service_meta.h"
#include "config/manifests/waypoints.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace aquifer::manifests {
namespace {

model::ServiceKind kind_of(const ServiceObject& object) {
  if (object.type == "ExternalName") return model::ServiceKind::external_name;
  return object.headless ? model::ServiceKind::headless : model::ServiceKind::cluster_ip;
}

model::Service service_of(const Assembly& assembly, const ServiceObject& object) {
  model::Service service;
  service.ns = object.meta.ns;
  service.name = object.meta.name;
  service.hostname = fmt::format("{}.{}.svc.{}", object.meta.name, object.meta.ns,
                                 assembly.options.cluster_domain);
  service.kind = kind_of(object);
  for (const IpAddress& address : object.addresses)
    service.vips.push_back({assembly.options.network, address});
  for (const ServicePortObject& port : object.ports) {
    service.ports.push_back({.port = port.port,
                             .name = port.name,
                             .target_port = port.target,
                             .target_port_name = port.target_name,
                             .app_protocol = port.app_protocol});
  }
  service.balancing = load_balancing(
      object, traffic_distribution(assembly, object.meta, object.traffic_distribution));
  if (object.ip_families.size() == 1) {
    service.ip_families =
        object.ip_families.front() == "IPv6" ? model::IpFamilies::v6 : model::IpFamilies::v4;
  }
  service.kubernetes = true;
  service.export_to = export_to_annotation(object.meta);
  service.external_name = object.external_name;
  service.waypoints = service_waypoints(assembly, object.meta);
  return service;
}

void warn_of_shared_addresses(Assembly& assembly) {
  std::unordered_map<IpAddress, const ServiceObject*> owners;
  assembly.for_each(&FileObjects::services, [&](const ServiceObject& service) {
    for (const IpAddress& address : service.addresses) {
      const auto [at, added] = owners.emplace(address, &service);
      if (added) continue;
      assembly.report_at(
          Severity::warning, service.meta.origin, object_name("Service", service.meta),
          "spec.clusterIP",
          fmt::format("{} is also the address of {}: write another", address.to_string(),
                      object_name("Service", at->second->meta)));
    }
  });
}

}  // namespace

void add_services(Assembly& assembly, const SelectedWorkloads& index) {
  warn_of_shared_addresses(assembly);
  EndpointFinder finder(assembly, index);
  assembly.for_each(&FileObjects::services, [&](const ServiceObject& object) {
    check_waypoint_labels(assembly, object.meta, "Service");
    assembly.services.push_back({.service = service_of(assembly, object),
                                 .endpoints = finder.find(object),
                                 .meta = &object.meta,
                                 .kubernetes = true});
  });
}

}  // namespace aquifer::manifests
