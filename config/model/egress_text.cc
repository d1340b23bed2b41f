// What egress decisions say to people.
#include "config/model/egress_match.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

namespace aquifer::model {
namespace {

// Alternatives that a hint lists; a policy of a hundred hosts must not make a page of it.
constexpr std::size_t kShownMax = 4;
// Host names that a destination is described by.
constexpr std::size_t kHostsShownMax = 4;

std::string text_of(const ServicePattern& pattern) {
  return pattern.text();
}
std::string text_of(const HostPattern& pattern) {
  return pattern.text();
}
std::string text_of(const Cidr& cidr) {
  return cidr.to_string();
}
std::string text_of(const PortRange& range) {
  return range.text();
}

template <typename Value>
std::string alternatives(const std::vector<Value>& values) {
  std::vector<std::string> shown;
  for (const Value& value : values) {
    if (shown.size() == kShownMax) {
      shown.push_back(fmt::format("{} more", values.size() - kShownMax));
      break;
    }
    shown.push_back(text_of(value));
  }
  return fmt::format("{}", fmt::join(shown, " or "));
}

// "the port were 443 and not 22"
template <typename Value>
std::string wanted(std::string_view what, const Choice<Value>& choice) {
  std::string text = fmt::format("the {} were ", what);
  if (!choice.any_of.empty()) text += alternatives(choice.any_of);
  if (!choice.any_of.empty() && !choice.none_of.empty()) text += " and ";
  if (!choice.none_of.empty()) text += "not " + alternatives(choice.none_of);
  return text;
}

// What would have to be different for `target` to match.
std::vector<std::string> misses(const EgressTarget& target, const EgressView& view) {
  std::vector<std::string> texts;
  if (match_ports(target, view) == Match::no) texts.push_back(wanted("port", target.ports));
  if (match_cidrs(target, view) == Match::no) texts.push_back(wanted("address", target.cidrs));
  if (match_services(target, view) == Match::no)
    texts.push_back(wanted("service", target.services));
  if (match_hosts(target, view) == Match::no) {
    texts.push_back(wanted("host name that the pod resolved to the address", target.hosts));
  }
  if (match_server_name(target, view) == Match::no) {
    texts.push_back(wanted("TLS server name", target.server_names));
  }
  return texts;
}

std::string nearest_miss(const EgressPolicy& policy, const EgressView& view) {
  std::optional<std::vector<std::string>> nearest;
  std::string place;
  for (std::size_t rule = 0; rule < policy.rules.size(); ++rule) {
    if (policy.rules[rule].action != EgressAction::allow) continue;
    const std::vector<EgressTarget>& targets = policy.rules[rule].to;
    for (std::size_t target = 0; target < targets.size(); ++target) {
      std::vector<std::string> texts = misses(targets[target], view);
      if (nearest && nearest->size() <= texts.size()) continue;
      place = fmt::format("rules[{}].to[{}]", rule, target);
      nearest = std::move(texts);
    }
  }
  if (!nearest) return {};
  return fmt::format("{} would match if {}", place, fmt::join(*nearest, " and "));
}

// The policy alone: its DENY rules before its ALLOW rules.
EgressPolicyTrace trace_policy(const EgressPolicy& policy, const EgressView& view) {
  using Finding = EgressPolicyTrace::Finding;
  EgressPolicyTrace trace;
  trace.policy = &policy;
  const auto look_for = [&](EgressAction action, Match match, Finding finding) {
    if (trace.finding != Finding::no_rule_matches) return;
    for (std::size_t at = 0; at < policy.rules.size(); ++at) {
      if (policy.rules[at].action != action) continue;
      const RuleMatch found = match_rule(policy.rules[at], view);
      if (found.match != match) continue;
      trace.finding = finding;
      trace.rule = at;
      trace.target = found.target;
      return;
    }
  };
  look_for(EgressAction::deny, Match::yes, Finding::denies);
  look_for(EgressAction::deny, Match::unknown, Finding::needs_server_name);
  look_for(EgressAction::allow, Match::yes, Finding::allows);
  look_for(EgressAction::allow, Match::unknown, Finding::needs_server_name);
  if (trace.finding == Finding::no_rule_matches) trace.nearest_miss = nearest_miss(policy, view);
  return trace;
}

}  // namespace

std::string place_of(const EgressVerdict& verdict) {
  if (verdict.policy == nullptr) return {};
  const EgressPolicy& policy = *verdict.policy;
  if (verdict.reason == EgressReason::fallback) return policy.full_name() + " default";
  if (policy.rules[verdict.rule].to.empty()) {
    return fmt::format("{} rules[{}]", policy.full_name(), verdict.rule);
  }
  return fmt::format("{} rules[{}].to[{}]", policy.full_name(), verdict.rule, verdict.target);
}

std::string describe_destination(const EgressRequest& request) {
  std::vector<std::string> known;
  if (request.service != nullptr) known.push_back("service " + request.service->hostname);
  if (!request.hosts.empty()) {
    std::vector<std::string_view> hosts;
    for (const HostName& host : request.hosts) {
      if (hosts.size() == kHostsShownMax) break;
      hosts.push_back(*host);
    }
    const std::size_t left_out = request.hosts.size() - hosts.size();
    known.push_back(fmt::format("resolved from {}{}", fmt::join(hosts, ", "),
                                left_out > 0 ? fmt::format(" and {} more", left_out) : ""));
  }
  switch (request.server_name.state) {
    case ServerName::State::not_looked_at: break;
    case ServerName::State::absent: known.emplace_back("no TLS server name"); break;
    case ServerName::State::known:
      known.push_back(fmt::format("TLS server name {}", request.server_name.name));
      break;
  }
  const std::string address = request.dialled.to_string();
  if (known.empty()) return address;
  return fmt::format("{} ({})", address, fmt::join(known, "; "));
}

EgressTrace trace_egress(const EgressBook& book, const EgressRequest& request) {
  EgressTrace trace;
  trace.verdict = judge_egress(book, request);
  trace.dry_run_verdict = judge_egress_dry_run(book, request);
  const EgressView view(book, request);
  for (const EgressPolicy* policy : book.selecting(*request.source)) {
    trace.policies.push_back(trace_policy(*policy, view));
  }
  return trace;
}

}  // namespace aquifer::model
