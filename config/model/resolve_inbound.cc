// The inbound half of resolve.h: what a CONNECT or a captured plaintext connection may reach.
#include "common/base/assert.h"
#include "config/model/resolve.h"
#include "config/model/waypoint_choice.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace aquifer::model {
namespace {

constexpr int kBadRequest = 400;
constexpr int kUnavailable = 503;
// RFC 1035 section 2.3.4, as text without the trailing dot.
constexpr std::size_t kHostnameBytesMax = 253;
constexpr const char* kRecursion = "attempted recursive call to ourselves";

struct HostPort {
  std::string_view host;
  std::uint16_t port = 0;
};

bool is_hostname(std::string_view text) {
  return !text.empty() && text.size() <= kHostnameBytesMax && std::ranges::all_of(text, [](char c) {
    const bool alphanumeric =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    return alphanumeric || c == '-' || c == '.' || c == '_';
  });
}

std::optional<HostPort> parse_host_port(std::string_view authority) {
  const std::size_t colon = authority.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  HostPort result{authority.substr(0, colon), 0};
  const std::string_view port = authority.substr(colon + 1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), result.port);
  const bool whole = error == std::errc{} && end == port.data() + port.size();
  if (!whole || result.port == 0 || !is_hostname(result.host)) return std::nullopt;
  return result;
}

std::unexpected<InboundRefusal> refuse(int status, Error error, std::string reason) {
  return std::unexpected(InboundRefusal{status, error, std::move(reason)});
}

std::unexpected<InboundRefusal> refuse(int status, Error error) {
  return refuse(status, error, error.context);
}

// The local workload's own mapping counts first: a named port differs from pod to pod.
std::optional<std::uint16_t> port_of(const ServiceRecord& record, const Workload& local,
                                     std::uint16_t service_port) {
  if (const Endpoint* endpoint = record.endpoints->find(local.uid)) {
    if (const auto port = endpoint->target_port(service_port)) return port;
  }
  const ServicePort* port = record.service->find_port(service_port);
  if (port == nullptr || port->target_port == 0) return std::nullopt;
  return port->target_port;
}

std::expected<InboundTarget, InboundRefusal> checked(const SocketAddress& upstream,
                                                     ServicePtr service) {
  if (is_illegal_port(upstream.port)) {
    return refuse(kUnavailable, Error(Errc::recursion, ErrorSource::downstream, kRecursion));
  }
  return InboundTarget{UpstreamAddr(upstream), std::move(service)};
}

// The service, or the workload, that has the address stands behind this very pod: a waypoint whose
// own node proxy hands it what was meant for others.
bool is_waypoint_of(const Snapshot& snapshot, const Workload& local, const IpAddress& ip) {
  const auto names_it = [&](const WaypointRef& waypoint) {
    return is_served_by(snapshot, waypoint, local);
  };
  const auto& record = snapshot.service_by_vip(local.network, ip, local.ns);
  if (record != nullptr) return std::ranges::any_of(record->service->waypoints, names_it);
  const WorkloadPtr& workload = snapshot.workload_by_ip(local.network, ip);
  return workload != nullptr && workload->waypoint && names_it(*workload->waypoint);
}

std::expected<InboundTarget, InboundRefusal> resolve_host(const Snapshot& snapshot,
                                                          const InboundRequest& request,
                                                          const HostPort& wanted) {
  const auto& record = snapshot.service_by_hostname(wanted.host, request.local->ns);
  if (record == nullptr) {
    return refuse(kUnavailable, Error(Errc::not_found, ErrorSource::downstream, "unknown hostname"),
                  fmt::format("unknown hostname: {}", wanted.host));
  }
  const auto port = port_of(*record, *request.local, wanted.port);
  if (!port) {
    return refuse(kUnavailable,
                  Error(Errc::not_found, ErrorSource::downstream, "no port for the service"),
                  fmt::format("no port {} for service {}", wanted.port, wanted.host));
  }
  return checked(SocketAddress{request.connection.addr.ip, *port}, record->service);
}

}  // namespace

std::expected<InboundTarget, InboundRefusal> resolve_inbound(const Snapshot& snapshot,
                                                             const InboundRequest& request) {
  AQUIFER_ASSERT(request.local != nullptr);
  if (const auto address = SocketAddress::parse(request.authority); address && address->port != 0) {
    const IpAddress& own = request.connection.addr.ip;
    if (address->ip != own && !is_waypoint_of(snapshot, *request.local, address->ip)) {
      return refuse(kBadRequest, Error(Errc::invalid, ErrorSource::downstream, "ip mismatch"),
                    fmt::format("ip mismatch: {} != {}", own.to_string(), address->ip.to_string()));
    }
    return checked(SocketAddress{own, address->port}, nullptr);
  }
  const auto host_port = parse_host_port(request.authority);
  if (!host_port) {
    // The authority itself is not repeated: it is the peer's text, of any length and content.
    return refuse(kBadRequest, Error(Errc::invalid, ErrorSource::downstream, "invalid authority"));
  }
  return resolve_host(snapshot, request, *host_port);
}

Result<UpstreamAddr> resolve_inbound_plaintext(const OriginalDst& destination) {
  if (is_illegal_port(destination.addr.port)) {
    return fail(Error(Errc::recursion, ErrorSource::downstream, kRecursion));
  }
  return UpstreamAddr(destination.addr);
}

ServicePtr claimed_service(const Snapshot& snapshot, const Workload& local,
                           std::string_view hostname) {
  const auto& record = snapshot.service_by_hostname(hostname, local.ns);
  if (record == nullptr || record->endpoints->find(local.uid) == nullptr) return nullptr;
  return record->service;
}

}  // namespace aquifer::model
