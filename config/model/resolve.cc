#include "config/model/resolve.h"

#include "common/base/assert.h"
#include "config/model/endpoint_choice.h"
#include "config/model/resolve_trace.h"
#include "config/model/waypoint_choice.h"

#include <fmt/format.h>

#include <utility>

namespace aquifer::model {
namespace {

constexpr const char* kRecursion = "attempted recursive call to ourselves";
constexpr const char* kNoHealthyUpstream = "no healthy upstream";
constexpr const char* kUnknownWaypoint = "unknown waypoint";
constexpr const char* kNoIdentity = "the destination is reached by HBONE but has no identity";

std::unexpected<Unresolved> unresolved(Errc code, ErrorSource source, const char* what,
                                       std::string reason) {
  return std::unexpected(Unresolved{Error(code, source, what), std::move(reason)});
}

WaypointStep::Verdict verdict_of(WaypointFailure failure) {
  switch (failure) {
    case WaypointFailure::missing: return WaypointStep::Verdict::missing;
    case WaypointFailure::not_ready: return WaypointStep::Verdict::not_ready;
    case WaypointFailure::no_identity: return WaypointStep::Verdict::no_identity;
  }
  return WaypointStep::Verdict::missing;
}

// The decision for one connection. With `trace`, it also notes what it looked at.
class Resolver {
 public:
  Resolver(const Snapshot& snapshot, const ResolveRequest& request, ResolveTrace* trace)
      : snapshot_(snapshot), request_(request), trace_(trace) {}

  Resolution run() {
    const Workload& source = *request_.source;
    const SocketAddress& wanted = request_.destination.addr;
    if (wanted.ip.is_loopback() && is_illegal_port(wanted.port))
      return unresolved(Errc::recursion, ErrorSource::downstream, kRecursion, kRecursion);
    if (trace_ != nullptr) note_services();
    const auto& record = snapshot_.service_by_vip(source.network, wanted.ip, source.ns);
    if (record != nullptr) return to_service(record);
    const WorkloadPtr& workload = snapshot_.workload_by_ip(source.network, wanted.ip);
    if (workload != nullptr) return to_workload(workload);
    return passthrough(nullptr);
  }

 private:
  Resolution to_service(const ServiceRecordPtr& record) {
    const ServicePtr& service = record->service;
    if (!service->waypoints.empty()) {
      const WaypointRef& waypoint = pick_waypoint(service->waypoints, request_.random);
      if (stands_between(waypoint, Via::service_waypoint))
        return through(waypoint, Via::service_waypoint, service, nullptr);
    }
    if (service->balancing.mode == BalancingMode::passthrough) return to_wanted_address(service);
    const EndpointQuestion question{.snapshot = snapshot_,
                                    .record = *record,
                                    .client = *request_.source,
                                    .wanted = request_.destination.addr,
                                    .ports = PortRule::mapped,
                                    .random = request_.random,
                                    .tried = request_.tried,
                                    .avoided = request_.avoided,
                                    .now = request_.now};
    note_endpoints(record, question);
    auto choice = choose_endpoint(question);
    if (!choice) {
      return unresolved(
          Errc::not_found, ErrorSource::upstream, kNoHealthyUpstream,
          fmt::format("{}: {}", kNoHealthyUpstream, request_.destination.addr.to_string()));
    }
    note_ignored_waypoint(*choice->workload);
    const EndpointId endpoint = choice->id;
    auto target = direct(std::move(choice->workload), service, choice->address);
    if (target) {
      target->endpoint = endpoint;
      target->endpoints = record->endpoints->endpoints.size();
    }
    return target;
  }

  // A service that leaves the choice to the client: the address may still be a workload's.
  Resolution to_wanted_address(const ServicePtr& service) {
    const IpAddress& ip = request_.destination.addr.ip;
    const WorkloadPtr& workload = snapshot_.workload_by_ip(request_.source->network, ip);
    if (workload == nullptr) return passthrough(service);
    if (trace_ != nullptr) trace_->workload = workload;
    note_ignored_waypoint(*workload);
    return direct(workload, service, request_.destination.addr);
  }

  Resolution to_workload(const WorkloadPtr& workload) {
    if (trace_ != nullptr) trace_->workload = workload;
    if (workload->waypoint && stands_between(*workload->waypoint, Via::workload_waypoint))
      return through(*workload->waypoint, Via::workload_waypoint, nullptr, workload);
    return direct(workload, nullptr, request_.destination.addr);
  }

  Resolution passthrough(ServicePtr service) const {
    ResolvedTarget target;
    target.upstream = UpstreamAddr(request_.destination.addr);
    target.service = std::move(service);
    return target;
  }

  // A waypoint's own connections to those behind it are not sent back to it.
  bool stands_between(const WaypointRef& waypoint, Via via) {
    const bool from_it = is_served_by(snapshot_, waypoint, *request_.source);
    note_waypoint(from_it ? WaypointStep::Verdict::from_it : WaypointStep::Verdict::used, via,
                  waypoint);
    return !from_it;
  }

  Resolution through(const WaypointRef& waypoint, Via via, const ServicePtr& service,
                     const WorkloadPtr& addressed) {
    if (trace_ != nullptr) {
      if (const auto& record = waypoint_service(snapshot_, waypoint, request_.source->ns))
        note_endpoints(record, waypoint_question(snapshot_, *record, waypoint, request_));
    }
    auto choice = find_waypoint(snapshot_, waypoint, request_);
    if (!choice) {
      note_waypoint(verdict_of(choice.error()), via, waypoint);
      return unresolved(
          Errc::not_found, ErrorSource::config, kUnknownWaypoint,
          fmt::format("{}: {} {}", kUnknownWaypoint, waypoint.name, name_of(choice.error())));
    }
    ResolvedTarget target;
    target.path = Path::hbone;
    target.via = via;
    target.waypoint = waypoint.name;
    target.upstream = UpstreamAddr(request_.destination.addr);
    target.tunnel = TunnelAddr(choice->tunnel);
    // The waypoint is told what the client wanted, untranslated: it decides what that means.
    target.authority = HboneTarget(request_.destination.addr);
    target.expected_identities = std::move(choice->expected_identities);
    target.security = SecurityPolicy::mutual_tls;
    target.workload = std::move(choice->workload);
    target.addressed = addressed;
    target.service = service;
    target.endpoint = choice->endpoint;
    target.endpoints = choice->endpoints;
    return target;
  }

  // To somebody who was found, with nobody between.
  static Resolution direct(WorkloadPtr workload, const ServicePtr& service,
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
      if (target.expected_identities.empty())
        return unresolved(Errc::identity, ErrorSource::config, kNoIdentity,
                          fmt::format("{}: {}", kNoIdentity, address.to_string()));
    } else {
      target.path = Path::plain;
    }
    if (workload->addresses.empty()) target.unresolved_host = workload->hostname;
    target.addressed = workload;
    target.workload = std::move(workload);
    target.service = service;
    return target;
  }

  void note_services() {
    const Workload& source = *request_.source;
    const IpAddress& ip = request_.destination.addr.ip;
    const auto& chosen = snapshot_.service_by_vip(source.network, ip, source.ns);
    snapshot_.for_each_vip_match(
        source.network, ip, [&](const ServiceRecordPtr& record, const Cidr* range) {
          ServiceCandidate candidate{record->service, std::nullopt, {}};
          if (range != nullptr) candidate.range = *range;
          candidate.verdict = record == chosen ? ServiceCandidate::Verdict::chosen
                              : record->service->visible_to(source.ns)
                                  ? ServiceCandidate::Verdict::less_preferred
                                  : ServiceCandidate::Verdict::invisible;
          trace_->services.push_back(std::move(candidate));
        });
  }

  void note_endpoints(const ServiceRecordPtr& record, const EndpointQuestion& question) {
    if (trace_ == nullptr) return;
    trace_->balanced_record = record;
    trace_->balanced = record->service;
    trace_->endpoints = judge_endpoints(question);
  }

  void note_waypoint(WaypointStep::Verdict verdict, Via via, const WaypointRef& waypoint) {
    if (trace_ != nullptr) trace_->waypoint = {verdict, via, waypoint};
  }

  void note_ignored_waypoint(const Workload& workload) {
    const bool undecided =
        trace_ != nullptr && trace_->waypoint.verdict == WaypointStep::Verdict::none;
    if (undecided && workload.waypoint)
      note_waypoint(WaypointStep::Verdict::ignored, Via::workload_waypoint, *workload.waypoint);
  }

  const Snapshot& snapshot_;
  const ResolveRequest& request_;
  ResolveTrace* trace_;
};

}  // namespace

bool is_illegal_port(std::uint16_t port) noexcept {
  return port == kOutboundPort || port == kInboundPlaintextPort || port == kInboundTunnelPort;
}

Resolution resolve(const Snapshot& snapshot, const ResolveRequest& request) {
  AQUIFER_ASSERT(request.source != nullptr);
  return Resolver(snapshot, request, nullptr).run();
}

ResolveTrace trace_resolve(const Snapshot& snapshot, const ResolveRequest& request) {
  AQUIFER_ASSERT(request.source != nullptr);
  ResolveTrace trace;
  trace.result = Resolver(snapshot, request, &trace).run();
  return trace;
}

}  // namespace aquifer::model
