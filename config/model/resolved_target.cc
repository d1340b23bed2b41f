#include "config/model/resolved_target.h"

#include "config/model/resolve_trace.h"

namespace aquifer::model {

std::string_view name_of(Path path) noexcept {
  switch (path) {
    case Path::hbone: return "hbone";
    case Path::plain: return "plain";
    case Path::passthrough: return "passthrough";
  }
  return "passthrough";
}

std::string_view name_of(Via via) noexcept {
  switch (via) {
    case Via::nobody: return "nobody";
    case Via::service_waypoint: return "service waypoint";
    case Via::workload_waypoint: return "workload waypoint";
  }
  return "nobody";
}

std::string_view name_of(SecurityPolicy policy) noexcept {
  return policy == SecurityPolicy::mutual_tls ? "mutual_tls" : "unknown";
}

std::string_view name_of(ServiceCandidate::Verdict verdict) noexcept {
  switch (verdict) {
    case ServiceCandidate::Verdict::chosen: return "chosen";
    case ServiceCandidate::Verdict::invisible: return "invisible";
    case ServiceCandidate::Verdict::less_preferred: return "less preferred";
  }
  return "less preferred";
}

std::string_view name_of(WaypointStep::Verdict verdict) noexcept {
  switch (verdict) {
    case WaypointStep::Verdict::none: return "none";
    case WaypointStep::Verdict::used: return "used";
    case WaypointStep::Verdict::from_it: return "the client is the waypoint";
    case WaypointStep::Verdict::ignored: return "ignored for traffic to a service";
    case WaypointStep::Verdict::missing: return "does not exist";
    case WaypointStep::Verdict::not_ready: return "has no ready endpoint";
    case WaypointStep::Verdict::no_identity: return "has no identity";
  }
  return "none";
}

void ResolvedTarget::set_resolved(const IpAddress& ip) noexcept {
  upstream.addr.ip = ip;
  if (path == Path::hbone) {
    tunnel.addr.ip = ip;
    authority.addr.ip = ip;
  }
  unresolved_host.clear();
}

}  // namespace aquifer::model
