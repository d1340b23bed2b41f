// What decisions by network policies say to people.
#include "config/model/network_match.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace aquifer::model {
namespace {

// Policies that a denial's line names.
constexpr std::size_t kPoliciesShownMax = 4;
// Ports that a hint lists.
constexpr std::size_t kPortsShownMax = 6;

std::string text_of(const NetworkPort& port) {
  if (!port.name.empty()) return fmt::format("\"{}\"", port.name);
  if (port.first == port.last) return fmt::format("{}", port.first);
  return fmt::format("{}-{}", port.first, port.last);
}

std::string wanted_ports(const NetworkRule& rule) {
  if (!rule.ports || rule.ports->empty()) return "it allowed TCP at all";
  std::vector<std::string> shown;
  for (const NetworkPort& port : *rule.ports) {
    if (shown.size() == kPortsShownMax) {
      shown.push_back(fmt::format("{} more", rule.ports->size() - kPortsShownMax));
      break;
    }
    shown.push_back(text_of(port));
  }
  return fmt::format("the port were {}", fmt::join(shown, " or "));
}

std::string_view wanted_peer(NetworkDirection direction) {
  return direction == NetworkDirection::ingress ? "the client were one that its `from` selects"
                                                : "the destination were one that its `to` selects";
}

std::string nearest_miss(const NetworkPolicy& policy, const NetworkPolicyBook& book,
                         const NetworkRequest& request) {
  const auto& rules = policy.rules(request.direction);
  if (!rules) return {};
  const std::string_view field =
      request.direction == NetworkDirection::ingress ? "ingress" : "egress";
  // The peer's right and the port wrong is nearer than the other way round: a port is what people
  // forget.
  std::string nearest;
  int distance = 4;
  for (std::size_t at = 0; at < rules->size(); ++at) {
    const NetworkRule& rule = (*rules)[at];
    const bool port = matches_ports(rule, book, request);
    const bool peer = matches_peers(rule, book, request);
    const int here = (port ? 0 : 1) + (peer ? 0 : 2);
    if (here >= distance) continue;
    distance = here;
    std::vector<std::string> texts;
    if (!port) texts.push_back(wanted_ports(rule));
    if (!peer) texts.emplace_back(wanted_peer(request.direction));
    nearest = fmt::format("{}[{}] would allow it if {}", field, at, fmt::join(texts, " and "));
  }
  return nearest;
}

}  // namespace

std::string describe_denial(const NetworkVerdict& verdict) {
  std::vector<std::string> names;
  for (const NetworkPolicy* policy : verdict.policies) {
    if (names.size() == kPoliciesShownMax) break;
    names.push_back(policy->full_name());
  }
  const std::size_t left_out = verdict.policies.size() - names.size();
  return fmt::format(
      "not allowed by {} {}{}",
      verdict.policies.size() == 1 ? "the network policy" : "any of the network policies",
      fmt::join(names, ", "), left_out > 0 ? fmt::format(" and {} more", left_out) : "");
}

NetworkTrace trace_network_policy(const NetworkPolicyBook& book, const NetworkRequest& request) {
  NetworkTrace trace;
  trace.verdict = judge_network_policy(book, request);
  for (const NetworkPolicy* policy : book.isolating(*request.local, request.direction)) {
    NetworkPolicyTrace one;
    one.policy = policy;
    one.rule = allowing_rule(*policy, book, request);
    if (!one.rule) one.nearest_miss = nearest_miss(*policy, book, request);
    trace.policies.push_back(std::move(one));
  }
  return trace;
}

}  // namespace aquifer::model
