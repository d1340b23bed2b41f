// The decision of egress policies: three-valued while the server name is not known.
#include "config/model/egress_match.h"

#include <algorithm>

namespace aquifer::model {
namespace {

template <typename Value, typename Test>
Match match_choice(const Choice<Value>& choice, const Test& test) {
  if (!choice.any_of.empty() && std::ranges::none_of(choice.any_of, test)) return Match::no;
  return std::ranges::any_of(choice.none_of, test) ? Match::no : Match::yes;
}

/// The first rule of its sort that matched, over all policies.
struct Found {
  const EgressPolicy* policy = nullptr;
  std::size_t rule = 0;
  std::size_t target = 0;

  void note(const EgressPolicy& by, std::size_t at_rule, std::size_t at_target) {
    if (policy == nullptr) *this = {&by, at_rule, at_target};
  }
  [[nodiscard]] EgressVerdict verdict(EgressOutcome outcome) const {
    return {outcome, EgressReason::rule, policy, rule, target};
  }
};

/// What all policies together say; DENY before ALLOW before the defaults.
struct Findings {
  Found denies;
  Found may_deny;
  Found allows;
  Found may_allow;
  const EgressPolicy* fallback = nullptr;

  void add(const EgressPolicy& policy, const EgressView& view) {
    if (policy.fallback == EgressAction::deny && fallback == nullptr) fallback = &policy;
    for (std::size_t at = 0; at < policy.rules.size(); ++at) {
      const EgressRule& rule = policy.rules[at];
      const RuleMatch found = match_rule(rule, view);
      if (found.match == Match::no) continue;
      const bool sure = found.match == Match::yes;
      if (rule.action == EgressAction::deny) {
        (sure ? denies : may_deny).note(policy, at, found.target);
      } else {
        (sure ? allows : may_allow).note(policy, at, found.target);
      }
    }
  }

  [[nodiscard]] EgressVerdict verdict() const {
    if (denies.policy != nullptr) return denies.verdict(EgressOutcome::denied);
    const bool allowed = fallback == nullptr || allows.policy != nullptr;
    // Denied whatever the server name is: not worth looking at it.
    if (!allowed && may_allow.policy == nullptr) {
      return {EgressOutcome::denied, EgressReason::fallback, fallback};
    }
    if (may_deny.policy != nullptr) return may_deny.verdict(EgressOutcome::needs_server_name);
    if (!allowed) return may_allow.verdict(EgressOutcome::needs_server_name);
    if (allows.policy != nullptr) return allows.verdict(EgressOutcome::allowed);
    return {};
  }
};

}  // namespace

EgressView::EgressView(const EgressBook& book, const EgressRequest& wanted) : request(wanted) {
  if (wanted.service == nullptr && wanted.destination != nullptr) {
    backed = book.backed_by(wanted.destination->uid);
  }
}

Match match_services(const EgressTarget& target, const EgressView& view) {
  return match_choice(target.services, [&](const ServicePattern& pattern) {
    if (const Service* service = view.request.service; service != nullptr) {
      return pattern.matches(service->ns, service->name, service->hostname);
    }
    return std::ranges::any_of(view.backed, [&](const BackedService& service) {
      return std::ranges::find(service.ports, view.request.endpoint.port) != service.ports.end() &&
             pattern.matches(service.ns, service.name, service.hostname);
    });
  });
}

Match match_hosts(const EgressTarget& target, const EgressView& view) {
  return match_choice(target.hosts, [&](const HostPattern& pattern) {
    return std::ranges::any_of(view.request.hosts,
                               [&](const HostName& host) { return pattern.matches(*host); });
  });
}

Match match_server_name(const EgressTarget& target, const EgressView& view) {
  if (target.server_names.empty()) return Match::yes;
  const ServerName& name = view.request.server_name;
  if (name.state == ServerName::State::not_looked_at) return Match::unknown;
  return match_choice(target.server_names, [&](const HostPattern& pattern) {
    return name.state == ServerName::State::known && pattern.matches(name.name);
  });
}

Match match_cidrs(const EgressTarget& target, const EgressView& view) {
  return match_choice(target.cidrs, [&](const Cidr& cidr) {
    return cidr.contains(view.request.dialled.ip) || cidr.contains(view.request.endpoint.ip);
  });
}

Match match_ports(const EgressTarget& target, const EgressView& view) {
  return match_choice(target.ports, [&](const PortRange& range) {
    return range.contains(view.request.dialled.port);
  });
}

Match match_target(const EgressTarget& target, const EgressView& view) {
  // The server name last: what does not match anyway needs none.
  for (const auto match : {match_ports, match_cidrs, match_services, match_hosts}) {
    if (match(target, view) == Match::no) return Match::no;
  }
  return match_server_name(target, view);
}

RuleMatch match_rule(const EgressRule& rule, const EgressView& view) {
  if (rule.to.empty()) return {Match::yes, 0};
  RuleMatch best;
  for (std::size_t at = 0; at < rule.to.size() && best.match != Match::yes; ++at) {
    const Match match = match_target(rule.to[at], view);
    if (match > best.match) best = {match, at};
  }
  return best;
}

EgressVerdict judge_egress(const EgressBook& book, const EgressRequest& request) {
  if (book.empty()) return {};
  const EgressView view(book, request);
  Findings findings;
  for (const EgressPolicy* policy : book.selecting(*request.source)) {
    if (policy->enforcement == Enforcement::enforced) findings.add(*policy, view);
  }
  return findings.verdict();
}

EgressVerdict judge_egress_dry_run(const EgressBook& book, const EgressRequest& request) {
  if (book.empty()) return {};
  const EgressView view(book, request);
  Findings findings;
  for (const EgressPolicy* policy : book.selecting(*request.source)) findings.add(*policy, view);
  return findings.verdict();
}

}  // namespace aquifer::model
