#include "ztunnel/explain/judges.h"

#include "config/model/authorization_trace.h"
#include "config/model/egress.h"
#include "config/model/network_policy.h"
#include "ztunnel/judge.h"
#include "ztunnel/judge_authorization.h"
#include "ztunnel/judge_network.h"
#include "ztunnel/judge_outbound.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

namespace aquifer::ztunnel {
namespace {

void take_refusal(Judgement& verdict, const std::optional<Refusal>& refusal) {
  verdict.outcome = refusal ? Outcome::denied : Outcome::allowed;
  if (!refusal) return;
  verdict.reason = refusal->reason;
  verdict.flag = telemetry::name_of(refusal->flag);
  verdict.policy = refusal->policy;
  verdict.detail = refusal->detail;
}

// Of several refusals each has its own nearest miss; all of them would have to be mended.
void add_miss(Judgement& verdict, std::string miss) {
  if (miss.empty()) return;
  if (!verdict.nearest_miss.empty()) verdict.nearest_miss += "; and ";
  verdict.nearest_miss += miss;
}

// Policies that match nothing and yet let somebody pass need a word.
void add_exception(Judgement& verdict, const model::NetworkVerdict& network) {
  using Outcome = model::NetworkVerdict::Outcome;
  if (network.outcome == Outcome::itself) {
    verdict.notes.emplace_back(
        "NetworkPolicies do not count here: a pod always reaches itself, as Kubernetes promises");
  } else if (network.outcome == Outcome::own_node) {
    verdict.notes.emplace_back(
        "NetworkPolicies do not count here: a pod and its own node always reach each other, as "
        "Kubernetes promises");
  }
}

void add_network_policies(Judgement& verdict, const model::Snapshot& snapshot,
                          const model::NetworkRequest& request) {
  const model::NetworkPolicyBook& book = *snapshot.books().network;
  if (book.empty()) return;
  const model::NetworkTrace trace = model::trace_network_policy(book, request);
  add_exception(verdict, trace.verdict);
  for (const model::NetworkPolicyTrace& policy : trace.policies) {
    PolicyLine line;
    line.kind = "NetworkPolicy";
    line.name = policy.policy->full_name();
    line.action = "ALLOW";
    line.matched = policy.rule.has_value();
    const std::string_view direction =
        request.direction == model::NetworkDirection::ingress ? "ingress" : "egress";
    line.why = policy.rule ? fmt::format("{}[{}] allows it", direction, *policy.rule)
               : policy.nearest_miss.empty()
                   ? fmt::format("isolates the pod, and none of its {} rules matches", direction)
                   : fmt::format("isolates the pod; {}", policy.nearest_miss);
    if (trace.verdict.denied()) add_miss(verdict, policy.nearest_miss);
    verdict.policies.push_back(std::move(line));
  }
}

std::string_view finding_text(model::EgressPolicyTrace::Finding finding) {
  using Finding = model::EgressPolicyTrace::Finding;
  switch (finding) {
    case Finding::allows: return "allows it";
    case Finding::denies: return "denies it";
    case Finding::needs_server_name: return "could match, depending on the TLS server name";
    case Finding::no_rule_matches: return "no rule matches";
  }
  return "";
}

void add_egress_policies(Judgement& verdict, const model::EgressTrace& trace) {
  using Finding = model::EgressPolicyTrace::Finding;
  for (const model::EgressPolicyTrace& policy : trace.policies) {
    PolicyLine line;
    line.kind = "EgressPolicy";
    line.name = policy.policy->full_name();
    line.action = fmt::format("default {}", model::name_of(policy.policy->fallback));
    line.dry_run = policy.policy->enforcement == model::Enforcement::dry_run;
    line.matched = policy.finding == Finding::allows || policy.finding == Finding::denies;
    line.why = finding_text(policy.finding);
    if (policy.finding != Finding::no_rule_matches) {
      line.why = fmt::format("rules[{}] {}", policy.rule, line.why);
    } else if (!policy.nearest_miss.empty()) {
      line.why += fmt::format("; {}", policy.nearest_miss);
    }
    if (verdict.outcome == Outcome::denied && !line.dry_run) add_miss(verdict, policy.nearest_miss);
    verdict.policies.push_back(std::move(line));
  }
}

}  // namespace

Judgement nobody_judges(std::string why) {
  Judgement verdict;
  verdict.reason = std::move(why);
  return verdict;
}

Judgement judge_at_source(const model::Snapshot& snapshot, const model::Workload& local,
                          const ConnectionFacts& facts) {
  Judgement verdict;
  take_refusal(verdict, judge_outbound(snapshot, local, facts));
  add_network_policies(verdict, snapshot, network_egress_request(snapshot, local, facts));
  const model::EgressBook& book = *snapshot.books().egress;
  if (book.empty()) return verdict;
  const model::EgressRequest request = egress_request(snapshot, local, facts);
  const model::EgressTrace trace = model::trace_egress(book, request);
  add_egress_policies(verdict, trace);
  // The data path waits for the ClientHello here; whoever asks has not said what it names.
  if (wants_server_name(snapshot, local, facts)) {
    verdict.outcome = Outcome::undecided;
    verdict.flag.clear();
    verdict.reason = fmt::format("{} decides by the TLS server name: ask again with --server-name",
                                 trace.verdict.policy->full_name());
  }
  return verdict;
}

Judgement judge_at_destination(const model::Snapshot& snapshot, const model::Workload& local,
                               const ConnectionFacts& facts) {
  Judgement verdict;
  take_refusal(verdict, judge_inbound(snapshot, local, facts));
  const model::AuthorizationRequest request = authorization_request(snapshot, local, facts);
  const model::AuthorizationTrace trace =
      model::trace_authorization(*snapshot.books().authorization, request);
  for (const model::PolicyTrace& policy : trace.policies) {
    PolicyLine line;
    line.kind = "AuthorizationPolicy";
    line.name = policy.policy->key();
    line.action = model::name_of(policy.policy->action);
    line.matched = policy.matched;
    line.dry_run = policy.policy->dry_run();
    line.why = policy.why;
    const bool decided = !trace.verdict.allowed() && policy.policy == trace.verdict.policy;
    if (decided && verdict.detail.empty()) verdict.detail = policy.why;
    verdict.policies.push_back(std::move(line));
  }
  for (const std::string& missing : trace.missing)
    verdict.notes.push_back(fmt::format("policy {} is named and does not exist: skipped", missing));
  if (!trace.verdict.allowed()) add_miss(verdict, trace.nearest_miss);
  add_network_policies(verdict, snapshot, network_ingress_request(snapshot, local, facts));
  return verdict;
}

}  // namespace aquifer::ztunnel
