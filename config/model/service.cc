#include "config/model/service.h"

#include <fmt/format.h>

#include <algorithm>

namespace aquifer::model {

const ServicePort* Service::find_port(std::uint16_t port) const noexcept {
  const auto at = std::ranges::find(ports, port, &ServicePort::port);
  return at == ports.end() ? nullptr : &*at;
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
