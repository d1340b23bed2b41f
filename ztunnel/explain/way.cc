#include "ztunnel/explain/way.h"

#include "config/model/resolve.h"
#include "config/model/resolve_trace.h"
#include "config/model/same_node.h"
#include "ztunnel/connection.h"
#include "ztunnel/explain/arrival.h"
#include "ztunnel/explain/judges.h"
#include "ztunnel/explain/request_policies.h"
#include "ztunnel/explain/waypoint_shares.h"
#include "ztunnel/upstream_connect.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace aquifer::ztunnel {
namespace {

using model::ResolvedTarget;
using model::Workload;
using model::WorkloadPtr;

class Way {
 public:
  Way(const model::Snapshot& snapshot, const Connecting& from, const Destination& to)
      : snapshot_(snapshot), from_(from), to_(to) {}
  /// Through the waypoint that `number` draws, of several.
  Way(const model::Snapshot& snapshot, const Connecting& from, const Destination& to,
      std::uint64_t number)
      : snapshot_(snapshot), from_(from), to_(to), number_(number) {}

  ConnectionStep explain() && {
    step_.destination = to_.address.to_string();
    if (stays_inside()) {
      untouched("the connection does not leave the pod, and so nobody captures it");
      step_.outcome = Outcome::allowed;
    } else if (from_.captured) {
      carried();
    } else {
      uncaptured();
    }
    return std::move(step_);
  }

 private:
  // The rules of capture leave loopback and the pod's own addresses alone.
  [[nodiscard]] bool stays_inside() const {
    return to_.address.ip.is_loopback() || to_.address.ip == from_.address ||
           std::ranges::find(from_.workload->addresses, to_.address.ip) !=
               from_.workload->addresses.end();
  }

  void set_service(const model::ServicePtr& service) {
    if (service == nullptr) return;
    step_.service = service->hostname;
    step_.service_ns = service->ns;
  }

  EndpointStep& add_endpoint(const Workload* workload, const SocketAddress& address) {
    EndpointStep endpoint;
    endpoint.workload = name_of_workload(workload);
    if (workload != nullptr) endpoint.node = workload->node;
    endpoint.address = address.to_string();
    step_.endpoints.push_back(std::move(endpoint));
    return step_.endpoints.back();
  }

  void untouched(std::string why) {
    EndpointStep& endpoint = add_endpoint(from_.workload.get(), to_.address);
    endpoint.path = "untouched";
    endpoint.egress = nobody_judges(why);
    endpoint.inbound = nobody_judges(std::move(why));
    endpoint.outcome = Outcome::allowed;
  }

  // --- through the source's proxy ---------------------------------------------------------------

  [[nodiscard]] model::ResolveRequest request() const {
    return {.source = from_.workload,
            .destination = OriginalDst(to_.address),
            .random = number_.value_or(0)};
  }

  void carried() {
    const model::ResolveTrace trace = model::trace_resolve(snapshot_, request());
    for (const model::ServiceCandidate& candidate : trace.services) {
      if (number_ || candidate.verdict != model::ServiceCandidate::Verdict::chosen) continue;
      const std::vector<WaypointDraw> draws = draws_of(candidate.service->waypoints);
      if (draws.size() > 1) return carried_by_each(draws);
    }
    note_waypoint(trace);
    for (const model::ServiceCandidate& candidate : trace.services) {
      if (candidate.verdict == model::ServiceCandidate::Verdict::chosen) {
        set_service(candidate.service);
      } else {
        step_.notes.push_back(fmt::format("service {} of namespace {} has the address, too: {}",
                                          candidate.service->hostname, candidate.service->ns,
                                          model::name_of(candidate.verdict)));
      }
    }
    if (trace.endpoints.empty()) {
      if (trace.result) carried_to(*trace.result, nullptr);
    } else {
      carried_to_each(trace);
    }
    if (!trace.result) {
      step_.failure = trace.result.error().reason;
      step_.outcome = Outcome::fails;
      return;
    }
    Outcome outcome = of_endpoints();
    if (trace.result->via != model::Via::nobody) {
      BehindWaypoint behind = explain_behind(snapshot_, *trace.result, to_.address);
      step_.behind = std::move(behind.endpoints);
      step_.notes.insert(step_.notes.end(), behind.notes.begin(), behind.notes.end());
      outcome = in_a_row(outcome, behind.outcome);
    }
    conclude(outcome);
  }

  void carried_by_each(const std::vector<WaypointDraw>& draws) {
    std::vector<WaypointShare> shares;
    for (const WaypointDraw& draw : draws)
      shares.push_back({draw.waypoint, Way(snapshot_, from_, to_, draw.number).explain()});
    step_ = join_shares(std::move(shares));
    note_doubt();
  }

  void note_waypoint(const model::ResolveTrace& trace) {
    if (!trace.waypoint.waypoint) return;
    step_.waypoint = {.name = trace.waypoint.waypoint->name,
                      .via = std::string(model::name_of(trace.waypoint.via)),
                      .standing = std::string(model::name_of(trace.waypoint.verdict))};
  }

  // One endpoint after the other is made the only one left, so that resolve() itself says where the
  // connection goes with it.
  void carried_to_each(const model::ResolveTrace& trace) {
    std::vector<model::EndpointId> eligible;
    for (const model::EndpointTrace& endpoint : trace.endpoints) {
      if (endpoint.verdict == model::EndpointVerdict::eligible) eligible.push_back(endpoint.id);
    }
    for (const model::EndpointTrace& endpoint : trace.endpoints) {
      if (step_.endpoints.size() >= kEndpointsExplainedMax) {
        step_.notes.push_back(fmt::format("{} more endpoints are not shown",
                                          trace.endpoints.size() - kEndpointsExplainedMax));
        return;
      }
      if (endpoint.verdict != model::EndpointVerdict::eligible) {
        ineligible(endpoint);
        continue;
      }
      std::vector<model::EndpointId> others = eligible;
      std::erase(others, endpoint.id);
      model::ResolveRequest narrowed = request();
      narrowed.tried = others;
      const model::Resolution target = model::resolve(snapshot_, narrowed);
      if (target) {
        carried_to(*target, &endpoint);
      } else {
        ineligible(endpoint);
        step_.endpoints.back().standing = target.error().reason;
      }
    }
  }

  void ineligible(const model::EndpointTrace& trace) {
    const WorkloadPtr& workload = snapshot_.workload_by_uid(trace.uid);
    SocketAddress address = trace.address;
    // Not looked up for those that were out before it mattered.
    if (workload != nullptr && address.port == 0 && !workload->addresses.empty())
      address.ip = *model::address_like(*workload, to_.address.ip);
    EndpointStep& endpoint = add_endpoint(workload.get(), address);
    if (address.port == 0) endpoint.address = address.ip.to_string();
    if (workload == nullptr) endpoint.workload = trace.uid;
    endpoint.eligible = false;
    endpoint.standing = model::name_of(trace.verdict);
    endpoint.weight = trace.weight;
  }

  void carried_to(const ResolvedTarget& target, const model::EndpointTrace* trace) {
    const bool tunnelled = target.path == model::Path::hbone;
    const bool waypoint = target.via != model::Via::nobody;
    // Through a waypoint, the tunnel's end is where it arrives; what is in it is for the waypoint.
    EndpointStep& endpoint =
        add_endpoint(target.workload.get(), waypoint ? target.tunnel.addr : target.upstream.addr);
    if (trace != nullptr) endpoint.weight = trace->weight;
    endpoint.path = model::name_of(target.path);
    if (tunnelled) endpoint.tunnel = target.tunnel.addr.to_string();
    endpoint.same_node = model::may_stay_on_node(*from_.workload, target);
    for (const SpiffeId& identity : target.expected_identities)
      endpoint.expected_identities.push_back(identity.to_string());

    ConnectionFacts facts = outbound_facts(target, from_.workload, SocketAddress{from_.address, 0},
                                           OriginalDst(to_.address));
    facts.names = names();
    endpoint.egress = judge_at_source(snapshot_, *from_.workload, facts);
    if (waypoint) {
      endpoint.inbound = judge_by_policies_of(target);
      endpoint.outcome = in_a_row(endpoint.egress.outcome, endpoint.inbound.outcome);
      return;
    }
    Arrival arrival;
    arrival.local = target.workload;
    arrival.peer = from_.workload;
    arrival.peer_address = from_.address;
    if (tunnelled) arrival.identity = &from_.workload->identity;
    arrival.application = target.upstream.addr;
    arrival.service = target.service;
    explain_arrival(snapshot_, arrival, endpoint);
  }

  [[nodiscard]] Judgement judge_by_policies_of(const ResolvedTarget& waypoint) const {
    AtWaypoint asked{.gateway = step_.waypoint.name,
                     .service = {},
                     .source = SocketAddress{from_.address, 0},
                     .destination = to_.address,
                     .identity = &from_.workload->identity,
                     .server_name = to_.server_name,
                     .host = to_.host.empty() ? to_.address.to_string() : to_.host,
                     .http = to_.http};
    if (waypoint.service != nullptr) {
      asked.service = model::service_key(waypoint.service->ns, waypoint.service->hostname);
    }
    return judge_at_waypoint(*snapshot_.books().security, asked);
  }

  [[nodiscard]] std::shared_ptr<const DestinationNames> names() const {
    DestinationNames names;
    if (!to_.host.empty()) names.hosts.push_back(std::make_shared<const std::string>(to_.host));
    if (!to_.server_name.empty()) {
      names.server_name_state = model::ServerName::State::known;
      names.server_name = to_.server_name;
    }
    return std::make_shared<const DestinationNames>(std::move(names));
  }

  // --- past the source's proxy ------------------------------------------------------------------

  // Whoever is not captured is served as without a mesh: kube-proxy takes an endpoint, and no
  // waypoint stands between.
  void uncaptured() {
    const std::string& network = from_.workload->network;
    const model::ServiceRecordPtr record = service_of_kubernetes();
    if (record == nullptr) {
      arrives(snapshot_.workload_by_ip(network, to_.address.ip), to_.address, nullptr);
      return conclude(of_endpoints());
    }
    set_service(record->service);
    const model::EndpointQuestion question{.snapshot = snapshot_,
                                           .record = *record,
                                           .client = *from_.workload,
                                           .wanted = to_.address,
                                           .ports = model::PortRule::mapped,
                                           .random = 0,
                                           .tried = {}};
    bool any = false;
    for (const model::EndpointTrace& endpoint : model::judge_endpoints(question)) {
      if (step_.endpoints.size() >= kEndpointsExplainedMax) break;
      if (endpoint.verdict == model::EndpointVerdict::eligible) {
        arrives(endpoint.workload, endpoint.address, record->service);
        any = true;
      } else {
        ineligible(endpoint);
      }
    }
    if (!record->service->waypoints.empty()) {
      step_.notes.push_back(
          "the service has a waypoint, and a client outside the mesh does not pass it");
    }
    if (any) return conclude(of_endpoints());
    step_.failure = "no endpoint serves it";
    step_.outcome = Outcome::fails;
  }

  // The service whose address kube-proxy knows, whomever it is exported to; null: none.
  model::ServiceRecordPtr service_of_kubernetes() {
    model::ServiceRecordPtr found;
    std::string mesh_only;
    snapshot_.for_each_vip_match(from_.workload->network, to_.address.ip,
                                 [&](const model::ServiceRecordPtr& record, const Cidr* /*range*/) {
                                   if (!record->service->kubernetes) {
                                     mesh_only = record->service->hostname;
                                   } else if (found == nullptr) {
                                     found = record;
                                   }
                                 });
    if (found == nullptr && !mesh_only.empty()) {
      step_.notes.push_back(
          fmt::format("the address of {} is known to the mesh only: to a client outside of it, it "
                      "is an address as any other",
                      mesh_only));
    }
    return found;
  }

  void arrives(const WorkloadPtr& local, const SocketAddress& address,
               const model::ServicePtr& service) {
    EndpointStep& endpoint = add_endpoint(local.get(), address);
    endpoint.path = "untouched";
    endpoint.egress = nobody_judges("the source is not captured: no proxy stands before it");
    const bool known = from_.standing == Connecting::Standing::known;
    Arrival arrival;
    arrival.local = local;
    if (known) arrival.peer = from_.workload;
    arrival.peer_address = from_.address;
    arrival.application = address;
    arrival.service = service;
    explain_arrival(snapshot_, arrival, endpoint);
  }

  [[nodiscard]] Outcome of_endpoints() const {
    Outcome outcome = Outcome::not_asked;
    for (const EndpointStep& endpoint : step_.endpoints) {
      if (endpoint.eligible) outcome = together(outcome, endpoint.outcome);
    }
    return outcome;
  }

  void conclude(Outcome outcome) {
    step_.outcome = outcome;
    note_doubt();
  }

  void note_doubt() {
    static constexpr std::string_view kDoubt =
        "the answer is not the same for every endpoint, or depends on what was not said";
    if (step_.outcome != Outcome::undecided) return;
    if (std::ranges::find(step_.notes, kDoubt) == step_.notes.end())
      step_.notes.emplace_back(kDoubt);
  }

  const model::Snapshot& snapshot_;
  const Connecting& from_;
  const Destination& to_;
  std::optional<std::uint64_t> number_;
  ConnectionStep step_;
};

}  // namespace

Outcome together(Outcome a, Outcome b) noexcept {
  if (a == Outcome::not_asked) return b;
  if (b == Outcome::not_asked || a == b) return a;
  return Outcome::undecided;
}

Outcome in_a_row(Outcome first, Outcome second) noexcept {
  for (const Outcome ends : {Outcome::denied, Outcome::fails, Outcome::undecided}) {
    if (first == ends || second == ends) return ends;
  }
  return Outcome::allowed;
}

ConnectionStep explain_way(const model::Snapshot& snapshot, const Connecting& from,
                           const Destination& to) {
  return Way(snapshot, from, to).explain();
}

}  // namespace aquifer::ztunnel
