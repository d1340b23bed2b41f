#include "config/model/resolve.h"

#include "common/base/assert.h"
#include "config/model/endpoint_choice.h"

#include <fmt/format.h>

namespace aquifer::model {
namespace {

constexpr const char* kRecursion = "attempted recursive call to ourselves";
constexpr const char* kNoHealthyUpstream = "no healthy upstream";
constexpr const char* kWaypoint = "waypoints are not supported yet";
constexpr const char* kNoIdentity = "the destination is reached by HBONE but has no identity";

// A destination that was found, to be reached without a waypoint or gateway between.
Result<ResolvedTarget> direct(WorkloadPtr workload, ServicePtr service,
                              const SocketAddress& address) {
  ResolvedTarget target;
  target.upstream = UpstreamAddr(address);
  if (workload->protocol == TunnelProtocol::hbone) {
    target.path = Path::hbone;
    target.security = SecurityPolicy::mutual_tls;
    target.tunnel = TunnelAddr(SocketAddress{address.ip, workload->tunnel_port});
    target.authority = HboneTarget(address);
    if (service != nullptr) target.expected_identities = service->subject_alt_names;
    if (!workload->identity.empty()) target.expected_identities.push_back(workload->identity);
    // With nobody to expect, anybody would do: refuse instead.
    if (target.expected_identities.empty()) {
      return fail(Error(Errc::identity, ErrorSource::config, kNoIdentity));
    }
  } else {
    target.path = Path::plain;
  }
  target.workload = std::move(workload);
  target.service = std::move(service);
  return target;
}

Result<ResolvedTarget> resolve_service(const Snapshot& snapshot, const ResolveRequest& request,
                                       const ServiceRecord& record) {
  if (!record.service->waypoint.empty()) {
    return fail(Error(Errc::not_found, ErrorSource::config, kWaypoint));
  }
  auto choice =
      choose_endpoint(snapshot, record, *request.source, request.destination, request.random);
  if (!choice) return fail(Error(Errc::not_found, ErrorSource::upstream, kNoHealthyUpstream));
  return direct(std::move(choice->workload), record.service, choice->address);
}

Result<ResolvedTarget> resolve_workload(const WorkloadPtr& workload,
                                        const OriginalDst& destination) {
  if (!workload->waypoint.empty()) {
    return fail(Error(Errc::not_found, ErrorSource::config, kWaypoint));
  }
  return direct(workload, nullptr, destination.addr);
}

}  // namespace

bool is_illegal_port(std::uint16_t port) noexcept {
  return port == kOutboundPort || port == kInboundPlaintextPort || port == kInboundTunnelPort;
}

std::string_view name_of(Path path) noexcept {
  switch (path) {
    case Path::hbone: return "hbone";
    case Path::plain: return "plain";
    case Path::passthrough: return "passthrough";
  }
  return "passthrough";
}

std::string_view name_of(SecurityPolicy policy) noexcept {
  return policy == SecurityPolicy::mutual_tls ? "mutual_tls" : "unknown";
}

Result<ResolvedTarget> resolve(const Snapshot& snapshot, const ResolveRequest& request) {
  AQUIFER_ASSERT(request.source != nullptr);
  const Workload& source = *request.source;
  const SocketAddress& wanted = request.destination.addr;
  if (wanted.ip.is_loopback() && is_illegal_port(wanted.port)) {
    return fail(Error(Errc::recursion, ErrorSource::downstream, kRecursion));
  }
  const auto& record = snapshot.service_by_vip(source.network, wanted.ip, source.ns);
  if (record != nullptr) return resolve_service(snapshot, request, *record);
  const auto& workload = snapshot.workload_by_ip(source.network, wanted.ip);
  if (workload != nullptr) return resolve_workload(workload, request.destination);

  ResolvedTarget target;
  target.upstream = UpstreamAddr(wanted);
  return target;
}

std::string describe_resolve_error(const Error& error, const OriginalDst& destination) {
  if (error.code == Errc::recursion) return error.message();
  return fmt::format("{}: {}", error.message(), destination.addr.to_string());
}

}  // namespace aquifer::model
