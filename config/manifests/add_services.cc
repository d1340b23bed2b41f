// Services and their endpoints.
#include "config/manifests/assembly.h"
#include "config/manifests/endpoints.h"
#include "config/manifests/enrolment.h"
#include "config/manifests/read_objects.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

namespace aquifer::manifests {
namespace {

// A waypoint is for services unless it says otherwise. One that is not there still stands between:
// the service is cut off rather than served without it.
std::string waypoint_of(const Assembly& assembly, const Metadata& meta) {
  const WaypointName waypoint = named_waypoint(assembly, meta);
  const auto at = assembly.waypoints.find(waypoint.name);
  if (at == assembly.waypoints.end()) return waypoint.name;
  const std::string* purpose = at->second->meta.label("istio.io/waypoint-for");
  const bool for_services = purpose == nullptr || *purpose == "service" || *purpose == "all";
  return for_services ? waypoint.name : std::string();
}

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
  service.balancing = load_balancing(object);
  service.waypoint = waypoint_of(assembly, object.meta);
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

void warn_of_waypoint(Assembly& assembly, const ServiceObject& object,
                      const model::Service& service) {
  if (service.waypoint.empty()) return;
  assembly.report_at(
      Severity::warning, object.meta.origin, object_name("Service", object.meta), "",
      fmt::format("istio.io/use-waypoint: waypoints are not supported by this version yet, and so "
                  "captured pods' connections to this service are REFUSED (waypoint {})",
                  service.waypoint));
}

}  // namespace

void add_services(Assembly& assembly) {
  warn_of_shared_addresses(assembly);
  EndpointFinder finder(assembly);
  assembly.for_each(&FileObjects::services, [&](const ServiceObject& object) {
    model::Service service = service_of(assembly, object);
    warn_of_waypoint(assembly, object, service);
    assembly.state.services.push_back(
        {std::make_shared<const model::Service>(std::move(service)),
         std::make_shared<const model::EndpointSet>(finder.find(object))});
  });
}

}  // namespace aquifer::manifests
