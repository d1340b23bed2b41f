#include "config/model/service.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

namespace aquifer::model {

const ServicePort* Service::find_port(std::uint16_t port) const noexcept {
  const auto at = std::ranges::find(ports, port, &ServicePort::port);
  return at == ports.end() ? nullptr : &*at;
}

bool Service::visible_to(std::string_view client_ns) const noexcept {
  return export_to.empty() || std::ranges::find(export_to, client_ns) != export_to.end();
}

EndpointId endpoint_id(std::string_view workload_uid, std::uint16_t port) noexcept {
  const EndpointId id =
      (std::hash<std::string_view>()(workload_uid) ^ port) * 0x9e3779b97f4a7c15ULL;
  return id == 0 ? 1 : id;
}

std::optional<std::uint16_t> Endpoint::target_port(std::uint16_t service_port) const noexcept {
  const auto at = std::ranges::find(ports, service_port, &PortMapping::service_port);
  if (at == ports.end()) return std::nullopt;
  return at->target_port;
}

const Endpoint* EndpointSet::find(std::string_view workload_uid) const noexcept {
  const auto at = std::ranges::lower_bound(endpoints, workload_uid, {}, &Endpoint::workload_uid);
  return at == endpoints.end() || at->workload_uid != workload_uid ? nullptr : &*at;
}

std::string service_key(std::string_view ns, std::string_view hostname) {
  return fmt::format("{}/{}", ns, hostname);
}

}  // namespace aquifer::model
