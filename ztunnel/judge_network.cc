// NetworkPolicies at both ends: who the peer is, and what the policies say of it.
#include "ztunnel/judge_network.h"

#include <algorithm>

namespace aquifer::ztunnel {
namespace {

using model::NetworkRequest;

// Selectors select pods, and blocks mean what is outside of them: an address of a pod is never in
// one, whatever that pod has proved. VMs and external endpoints have no labels, only addresses.
NetworkRequest::PeerKind kind_of(const model::Snapshot& snapshot, const model::Workload& local,
                                 const IpAddress& address) {
  const model::WorkloadPtr& owner = snapshot.workload_by_ip(local.network, address);
  const bool is_pod = owner != nullptr && model::is_pod_uid(owner->uid);
  return is_pod ? NetworkRequest::PeerKind::workload : NetworkRequest::PeerKind::stranger;
}

}  // namespace

NetworkRequest network_ingress_request(const model::Snapshot& snapshot,
                                       const model::Workload& local, const ConnectionFacts& facts) {
  NetworkRequest request;
  request.direction = model::NetworkDirection::ingress;
  request.local = &local;
  request.peer_address = facts.source_address;
  request.peer_kind = kind_of(snapshot, local, facts.source_address.ip);
  request.port = facts.wanted_address.port;
  const model::Workload* claimed = facts.source.workload.get();
  // Through a tunnel the address alone proves nothing: its certificate must be that pod's. In
  // plaintext there is nothing but the address, as for every network plugin.
  const bool proven = facts.source.proven == nullptr ||
                      (claimed != nullptr && claimed->identity == *facts.source.proven);
  if (proven) request.peer = claimed;
  return request;
}

NetworkRequest network_egress_request(const model::Snapshot& snapshot, const model::Workload& local,
                                      const ConnectionFacts& facts) {
  NetworkRequest request;
  request.direction = model::NetworkDirection::egress;
  request.local = &local;
  request.peer = facts.destination.workload.get();
  request.peer_address = facts.endpoint_address;
  const bool at_endpoint = request.peer == nullptr ||
                           std::ranges::find(request.peer->addresses, facts.endpoint_address.ip) !=
                               request.peer->addresses.end();
  // A waypoint stands between: it is the pod that this one talks to, as a network plugin sees it.
  if (!at_endpoint) request.peer_address = facts.destination_address;
  request.peer_kind = kind_of(snapshot, local, request.peer_address.ip);
  request.port = request.peer_address.port;
  return request;
}

std::optional<Refusal> judge_network_ingress(const model::Snapshot& snapshot,
                                             const model::Workload& local,
                                             const ConnectionFacts& facts) {
  const model::NetworkPolicyBook& book = *snapshot.books().network;
  if (book.empty()) return std::nullopt;
  const NetworkRequest request = network_ingress_request(snapshot, local, facts);
  const model::NetworkVerdict verdict = model::judge_network_policy(book, request);
  if (!verdict.denied()) return std::nullopt;
  return network_refusal(verdict);
}

Refusal network_refusal(const model::NetworkVerdict& verdict) {
  Refusal refusal;
  refusal.reason = "connection closed due to policy rejection: " + model::describe_denial(verdict);
  if (verdict.policies.size() == 1) refusal.policy = verdict.policies.front()->full_name();
  return refusal;
}

}  // namespace aquifer::ztunnel
