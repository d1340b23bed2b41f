#include "config/model/network_policy.h"

#include "config/model/network_match.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace aquifer::model {
namespace {

bool in_block(const AddressBlock& block, const NetworkRequest& request) {
  if (request.peer_kind == NetworkRequest::PeerKind::workload) return false;
  const IpAddress& ip = request.peer_address.ip;
  return block.block.contains(ip) &&
         std::ranges::none_of(block.except, [&](const Cidr& cidr) { return cidr.contains(ip); });
}

}  // namespace

NetworkPolicyBook::NetworkPolicyBook(std::vector<NetworkPolicy> policies, WorkloadGroups groups,
                                     NamedPorts named_ports, NodeAddresses node_addresses)
    : policies_(std::move(policies)),
      groups_(std::move(groups)),
      named_ports_(std::move(named_ports)),
      node_addresses_(std::move(node_addresses)) {
  std::ranges::sort(policies_, {},
                    [](const NetworkPolicy& policy) { return std::tie(policy.ns, policy.name); });
  for (std::uint32_t at = 0; at < policies_.size(); ++at) {
    const GroupId group = policies_[at].selected;
    if (for_group_.size() <= group) for_group_.resize(group + 1);
    for_group_[group].push_back(at);
  }
}

std::vector<const NetworkPolicy*> NetworkPolicyBook::isolating(const Workload& local,
                                                               NetworkDirection direction) const {
  std::vector<const NetworkPolicy*> found;
  if (policies_.empty()) return found;
  for (const GroupId group : groups_.of(local.uid)) {
    if (group >= for_group_.size()) continue;
    for (const std::uint32_t at : for_group_[group]) {
      if (policies_[at].rules(direction)) found.push_back(&policies_[at]);
    }
  }
  std::ranges::sort(found);  // they stand in one array, which is in order
  return found;
}

std::span<const PodPort> NetworkPolicyBook::named_ports(std::string_view uid) const noexcept {
  const auto at = named_ports_.find(uid);
  if (at == named_ports_.end()) return {};
  return at->second;
}

bool NetworkPolicyBook::is_own_node(const Workload& local,
                                    const IpAddress& address) const noexcept {
  const auto at = node_addresses_.find(local.uid);
  return at != node_addresses_.end() && std::ranges::find(at->second, address) != at->second.end();
}

const Workload* destination_of(const NetworkRequest& request) noexcept {
  return request.direction == NetworkDirection::ingress ? request.local : request.peer;
}

bool matches_peer(const NetworkPeer& peer, const NetworkPolicyBook& book,
                  const NetworkRequest& request) {
  if (const auto* block = std::get_if<AddressBlock>(&peer)) return in_block(*block, request);
  return request.peer != nullptr &&
         book.groups().contains(std::get<GroupId>(peer), request.peer->uid);
}

bool matches_port(const NetworkPort& port, const NetworkPolicyBook& book,
                  const NetworkRequest& request) {
  if (port.name.empty()) return port.first <= request.port && request.port <= port.last;
  const Workload* destination = destination_of(request);
  return destination != nullptr &&
         std::ranges::any_of(book.named_ports(destination->uid), [&](const PodPort& named) {
           return named.port == request.port && named.name == port.name;
         });
}

bool matches_peers(const NetworkRule& rule, const NetworkPolicyBook& book,
                   const NetworkRequest& request) {
  return !rule.peers || std::ranges::any_of(*rule.peers, [&](const NetworkPeer& peer) {
    return matches_peer(peer, book, request);
  });
}

bool matches_ports(const NetworkRule& rule, const NetworkPolicyBook& book,
                   const NetworkRequest& request) {
  return !rule.ports || std::ranges::any_of(*rule.ports, [&](const NetworkPort& port) {
    return matches_port(port, book, request);
  });
}

std::optional<std::size_t> allowing_rule(const NetworkPolicy& policy, const NetworkPolicyBook& book,
                                         const NetworkRequest& request) {
  const auto& rules = policy.rules(request.direction);
  if (!rules) return std::nullopt;
  for (std::size_t at = 0; at < rules->size(); ++at) {
    const NetworkRule& rule = (*rules)[at];
    if (matches_ports(rule, book, request) && matches_peers(rule, book, request)) return at;
  }
  return std::nullopt;
}

NetworkVerdict judge_network_policy(const NetworkPolicyBook& book, const NetworkRequest& request) {
  using Outcome = NetworkVerdict::Outcome;
  NetworkVerdict verdict;
  if (book.empty()) return verdict;
  auto policies = book.isolating(*request.local, request.direction);
  if (policies.empty()) return verdict;
  if (request.peer != nullptr && request.peer->uid == request.local->uid) {
    verdict.outcome = Outcome::itself;
    return verdict;
  }
  if (request.peer_kind == NetworkRequest::PeerKind::stranger &&
      book.is_own_node(*request.local, request.peer_address.ip)) {
    verdict.outcome = Outcome::own_node;
    return verdict;
  }
  for (const NetworkPolicy* policy : policies) {
    const auto rule = allowing_rule(*policy, book, request);
    if (!rule) continue;
    verdict.outcome = Outcome::allowed;
    verdict.policy = policy;
    verdict.rule = *rule;
    return verdict;
  }
  verdict.outcome = Outcome::denied;
  verdict.policies = std::move(policies);
  return verdict;
}

}  // namespace aquifer::model
