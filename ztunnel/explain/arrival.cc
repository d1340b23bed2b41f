#include "ztunnel/explain/arrival.h"

#include "config/model/endpoint_choice.h"
#include "ztunnel/connection.h"
#include "ztunnel/explain/judges.h"
#include "ztunnel/explain/way.h"

#include <fmt/format.h>

#include <memory>
#include <utility>

namespace aquifer::ztunnel {
namespace {

using model::ResolvedTarget;
using model::Workload;
using model::WorkloadPtr;

// The mesh wants its traffic in a proxy, and there is no node whose proxy that could be.
bool is_adrift(const WorkloadPtr& local) {
  return local != nullptr && local->capture == model::Capture::yes && local->node.empty();
}

Judgement judge(const model::Snapshot& snapshot, const Arrival& arrival) {
  const WorkloadPtr& local = arrival.local;
  if (local == nullptr) return nobody_judges("the mesh does not know who is there");
  if (local->capture == model::Capture::no)
    return nobody_judges("the destination is not in the mesh: no proxy stands before it");
  if (is_adrift(local))
    return nobody_judges("it is enrolled, but has no nodeName: no proxy stands before it");
  ConnectionFacts facts;
  facts.direction = telemetry::Direction::inbound;
  facts.source_address = SocketAddress{arrival.peer_address, 0};
  facts.wanted_address = arrival.application;
  facts.destination_address = arrival.application;
  facts.source.workload = arrival.peer;
  if (arrival.identity != nullptr)
    facts.source.proven = std::make_shared<const SpiffeId>(*arrival.identity);
  facts.destination = End{local, std::make_shared<const SpiffeId>(local->identity)};
  facts.service = arrival.service;
  return judge_at_destination(snapshot, *local, facts);
}

// A waypoint reaches those behind it with its own identity.
class Behind {
 public:
  Behind(const model::Snapshot& snapshot, const ResolvedTarget& target, const SocketAddress& wanted)
      : snapshot_(snapshot), target_(target), wanted_(wanted) {}

  BehindWaypoint explain() && {
    if (target_.via == model::Via::workload_waypoint) {
      if (target_.addressed != nullptr) add(reached(target_.addressed, wanted_));
    } else if (target_.service != nullptr) {
      behind_service();
    }
    result_.notes.emplace_back(
        "behind the waypoint, each endpoint's proxy sees the waypoint's identity");
    return std::move(result_);
  }

 private:
  void behind_service() {
    const model::Service& service = *target_.service;
    if (service.balancing.mode == model::BalancingMode::passthrough) {
      const WorkloadPtr& there = snapshot_.workload_by_ip(target_.workload->network, wanted_.ip);
      return add(reached(there, wanted_));
    }
    const auto& record = snapshot_.service_by_host(service.ns, service.hostname);
    if (record == nullptr) return;
    const model::EndpointQuestion question{.snapshot = snapshot_,
                                           .record = *record,
                                           .client = *target_.workload,
                                           .wanted = wanted_,
                                           .ports = model::PortRule::mapped,
                                           .random = 0,
                                           .tried = {}};
    for (const model::EndpointTrace& endpoint : model::judge_endpoints(question)) {
      EndpointStep step = reached(endpoint.workload, endpoint.address);
      step.weight = endpoint.weight;
      step.eligible = endpoint.verdict == model::EndpointVerdict::eligible;
      step.standing = model::name_of(endpoint.verdict);
      add(std::move(step));
    }
    if (left_out_ > 0)
      result_.notes.push_back(
          fmt::format("{} more endpoints behind the waypoint are not shown, and count all the same",
                      left_out_));
    if (any_) return;
    result_.outcome = Outcome::fails;
    result_.notes.emplace_back("the waypoint has no endpoint that it could choose");
  }

  void add(EndpointStep step) {
    if (step.eligible) {
      any_ = true;
      result_.outcome = together(result_.outcome, step.outcome);
    }
    if (result_.endpoints.size() < kEndpointsExplainedMax) {
      result_.endpoints.push_back(std::move(step));
    } else {
      ++left_out_;
    }
  }

  [[nodiscard]] EndpointStep reached(const WorkloadPtr& local, const SocketAddress& address) const {
    const Workload& waypoint = *target_.workload;
    const bool tunnelled = local != nullptr && local->protocol == model::TunnelProtocol::hbone;
    EndpointStep endpoint;
    endpoint.workload = name_of_workload(local.get());
    if (local != nullptr) endpoint.node = local->node;
    endpoint.address = address.to_string();
    endpoint.path = tunnelled ? "hbone" : "plain";
    endpoint.egress = nobody_judges("the waypoint's own connection");
    if (tunnelled) {
      endpoint.tunnel = SocketAddress{address.ip, local->tunnel_port}.to_string();
      endpoint.expected_identities.push_back(local->identity.to_string());
    }
    Arrival arrival;
    arrival.local = local;
    arrival.peer = target_.workload;
    if (!waypoint.addresses.empty()) arrival.peer_address = waypoint.addresses.front();
    if (tunnelled) arrival.identity = &waypoint.identity;
    arrival.application = address;
    arrival.service = target_.service;
    explain_arrival(snapshot_, arrival, endpoint);
    return endpoint;
  }

  const model::Snapshot& snapshot_;
  const ResolvedTarget& target_;
  const SocketAddress& wanted_;
  BehindWaypoint result_;
  bool any_ = false;
  std::size_t left_out_ = 0;
};

}  // namespace

std::string name_of_workload(const Workload* workload) {
  return workload == nullptr ? "" : fmt::format("{}/{}", workload->ns, workload->name);
}

void explain_arrival(const model::Snapshot& snapshot, const Arrival& arrival,
                     EndpointStep& endpoint) {
  endpoint.inbound = judge(snapshot, arrival);
  Outcome there = endpoint.inbound.outcome;
  if (arrival.identity != nullptr && is_adrift(arrival.local)) {
    endpoint.inbound.notes.push_back(fmt::format("nobody takes the tunnel at {}", endpoint.tunnel));
    there = Outcome::fails;
  }
  endpoint.outcome = in_a_row(endpoint.egress.outcome, there);
}

BehindWaypoint explain_behind(const model::Snapshot& snapshot, const ResolvedTarget& target,
                              const SocketAddress& wanted) {
  if (target.workload == nullptr) return {};
  return Behind(snapshot, target, wanted).explain();
}

}  // namespace aquifer::ztunnel
