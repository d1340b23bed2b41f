#include "waypoint/downstream.h"

#include "common/hbone/headers.h"

#include <algorithm>
#include <utility>

namespace aquifer::waypoint {
namespace {

bool uses(const model::Service& service, std::string_view gateway) {
  return std::ranges::any_of(service.waypoints, [&](const model::WaypointRef& waypoint) {
    return waypoint.name == gateway;
  });
}

bool is_namespace_of(std::string_view ns, std::string_view gateway) noexcept {
  return gateway.substr(0, gateway.find('/')) == ns;
}

std::expected<Meant, NotMeant> service_meant(const model::ServiceRecordPtr& record,
                                             std::string_view gateway, SocketAddress wanted) {
  const model::ServicePtr& service = record->service;
  if (!serves(*service, gateway)) {
    return std::unexpected(NotMeant{.reason = service->hostname + " does not use this waypoint"});
  }
  if (service->find_port(wanted.port) == nullptr) {
    return std::unexpected(
        NotMeant{.reason = service->hostname + " has no port " + std::to_string(wanted.port)});
  }
  return Meant{.service = service, .workload = nullptr, .wanted = wanted, .port = wanted.port};
}

}  // namespace

bool serves(const model::Service& service, std::string_view gateway) {
  return uses(service, gateway) || is_namespace_of(service.ns, gateway);
}

std::expected<Meant, NotMeant> what_is_meant(const model::Snapshot& snapshot,
                                             std::string_view gateway, std::string_view network,
                                             std::string_view authority,
                                             std::string_view client_ns) {
  const auto parsed = hbone::parse_authority(authority);
  if (!parsed) return std::unexpected(NotMeant{.status = 400, .reason = "malformed authority"});
  if (const auto* named = std::get_if<hbone::HostPort>(&*parsed)) {
    const auto& record = snapshot.service_by_hostname(named->host, client_ns);
    if (record == nullptr)
      return std::unexpected(NotMeant{.reason = "unknown service " + named->host});
    SocketAddress wanted;
    if (!record->service->vips.empty()) wanted.ip = record->service->vips.front().ip;
    wanted.port = named->port;
    return service_meant(record, gateway, wanted);
  }
  const SocketAddress wanted = std::get<HboneTarget>(*parsed).addr;
  if (const auto& record = snapshot.service_by_vip(network, wanted.ip, client_ns)) {
    return service_meant(record, gateway, wanted);
  }
  const model::WorkloadPtr& workload = snapshot.workload_by_ip(network, wanted.ip);
  if (workload == nullptr)
    return std::unexpected(NotMeant{.reason = "unknown destination " + wanted.to_string()});
  const bool ours = workload->waypoint && workload->waypoint->name == gateway;
  if (!ours && !is_namespace_of(workload->ns, gateway)) {
    return std::unexpected(
        NotMeant{.reason = workload->ns + "/" + workload->name + " does not use this waypoint"});
  }
  return Meant{.service = nullptr, .workload = workload, .wanted = wanted, .port = wanted.port};
}

}  // namespace aquifer::waypoint
