#include "config/manifests/l7/mesh_services.h"

#include "config/manifests/lint/words.h"
#include "config/manifests/route_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace aquifer::manifests {
namespace {

constexpr std::string_view kIstioNetworking = "networking.istio.io";

bool is_service(std::string_view group, std::string_view kind) {
  return kind == "Service" && (group.empty() || group == "core");
}

std::string port_list(const model::Service& service) {
  std::vector<std::string> ports;
  for (const model::ServicePort& port : service.ports)
    ports.push_back(fmt::format("{}", port.port));
  return some_of(std::move(ports));
}

}  // namespace

MeshServices::MeshServices(const Assembly& assembly) : assembly_(assembly) {
  for (const model::ServiceRecord& record : assembly.state.services) {
    const model::Service& service = *record.service;
    by_key_.emplace(model::service_key(service.ns, service.hostname), &record);
    by_host_[service.hostname].push_back(&record);
  }
  assembly.for_each(&FileObjects::service_entries, [&](const ServiceEntryObject& entry) {
    entry_hosts_.emplace(fmt::format("{}/{}", entry.meta.ns, entry.meta.name), entry.hosts);
  });
}

std::string MeshServices::full_host(std::string_view host, std::string_view ns) const {
  if (host.contains('.') || host == "*") return lower_case(host);
  return fmt::format("{}.{}.svc.{}", lower_case(host), ns, assembly_.options.cluster_domain);
}

const model::ServiceRecord* MeshServices::service(std::string_view ns,
                                                  std::string_view name) const {
  const auto at = by_key_.find(model::service_key(
      ns, fmt::format("{}.{}.svc.{}", name, ns, assembly_.options.cluster_domain)));
  return at == by_key_.end() ? nullptr : at->second;
}

const std::vector<const model::ServiceRecord*>& MeshServices::of_host(
    std::string_view hostname) const {
  static const Records kNone;
  const auto at = by_host_.find(std::string(hostname));
  return at == by_host_.end() ? kNone : at->second;
}

const model::ServiceRecord* MeshServices::host(std::string_view ns,
                                               std::string_view hostname) const {
  const model::ServiceRecord* best = nullptr;
  for (const model::ServiceRecord* record : of_host(hostname)) {
    if (!record->service->visible_to(ns)) continue;
    if (record->service->ns == ns) return record;
    if (best == nullptr || record->service->canonical) best = record;
  }
  return best;
}

std::vector<const model::ServiceRecord*> MeshServices::parents(const ParentObject& parent) const {
  if (is_service(parent.group, parent.kind)) {
    const model::ServiceRecord* found = service(parent.ns, parent.name);
    return found != nullptr ? Records{found} : Records{};
  }
  Records records;
  if (parent.group == kIstioNetworking && parent.kind == "ServiceEntry") {
    const auto hosts = entry_hosts_.find(fmt::format("{}/{}", parent.ns, parent.name));
    if (hosts == entry_hosts_.end()) return {};
    for (const std::string& name : hosts->second) {
      const auto at = by_key_.find(model::service_key(parent.ns, name));
      if (at != by_key_.end()) records.push_back(at->second);
    }
  } else if (parent.group == kIstioNetworking && parent.kind == "Hostname") {
    if (const model::ServiceRecord* found = host(parent.ns, parent.name)) records.push_back(found);
  }
  return records;
}

BackendTarget MeshServices::backend(const BackendObject& backend, std::string_view from_ns,
                                    std::uint16_t usual_port) const {
  if (backend.unusable) return {nullptr, 0, "asks for what is not supported"};
  if (is_service(backend.group, backend.kind)) {
    const model::ServiceRecord* record = service(backend.ns, backend.name);
    if (record != nullptr) return with_port(record, backend, usual_port);
    return {
        nullptr, 0,
        fmt::format("there is no Service {}/{}: write the name of one", backend.ns, backend.name)};
  }
  if (backend.group == kIstioNetworking && backend.kind == "Hostname") {
    const model::ServiceRecord* record = host(from_ns, full_host(backend.name, from_ns));
    if (record != nullptr) return with_port(record, backend, usual_port);
    return {nullptr, 0,
            fmt::format("no service has the host name {}: write the host of a Service or of a "
                        "ServiceEntry",
                        in_quotes(backend.name))};
  }
  return {nullptr, 0,
          fmt::format("{} of group {} cannot be a backend: write kind Service, or Hostname of "
                      "group {}",
                      in_quotes(backend.kind), in_quotes(backend.group), kIstioNetworking)};
}

BackendTarget MeshServices::with_port(const model::ServiceRecord* record,
                                      const BackendObject& backend,
                                      std::uint16_t usual_port) const {
  const model::Service& service = *record->service;
  if (service.kind == model::ServiceKind::external_name) {
    return {nullptr, 0,
            fmt::format("Service {}/{} is an ExternalName, which has no endpoints", service.ns,
                        service.name)};
  }
  // Without a port, that of a service which has one alone (VirtualService).
  const bool only = backend.port == 0 && service.ports.size() == 1;
  const std::uint16_t written = backend.port != 0 ? backend.port : usual_port;
  const std::uint16_t port = only ? service.ports.front().port : written;
  if (service.find_port(port) != nullptr) return {record, port, {}};
  if (port == 0) {
    return {nullptr, 0, fmt::format("the port is missing: write one of {}", port_list(service))};
  }
  return {nullptr, 0,
          fmt::format("{} has no port {}: write one of {}", service.hostname, port,
                      port_list(service))};
}

}  // namespace aquifer::manifests
