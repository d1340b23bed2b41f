#include "ztunnel/policy_decisions.h"

#include <string>
#include <string_view>

namespace aquifer::ztunnel {
namespace {

constexpr const char* kTarget = "ztunnel::rbac";
// A policy that decides makes one or two label sets; more policies than this are in force on a node
// only where somebody generates them, and then they are counted together.
constexpr std::size_t kSeriesMax = 500;

std::string labels_of(std::string_view policy, std::string_view action, bool dry_run,
                      std::string_view result) {
  return telemetry::render_labels({{"policy", policy},
                                   {"action", action},
                                   {"dry_run", dry_run ? "true" : "false"},
                                   {"result", result}});
}

}  // namespace

// One policy's part in the answer. `policy` is null where the lack of a matching ALLOW decided.
struct PolicyDecisions::Decision {
  const model::AuthorizationPolicy* policy = nullptr;
  model::AuthorizationAction action = model::AuthorizationAction::allow;
  bool dry_run = false;
};

PolicyDecisions::PolicyDecisions(telemetry::Registry& registry, log::Level level)
    : group_(registry.group({{.name = "aquifer_policy_decisions",
                              .help = "Connections by the authorization policy that decided, or "
                                      "that would have if it were enforced."}},
                            labels_of("other", "other", false, "other"),
                            {.series_max = kSeriesMax})),
      level_(level) {}

void PolicyDecisions::note(const model::AuthorizationVerdict& verdict,
                           const ConnectionFacts& facts) {
  using model::AuthorizationAction;
  for (const model::AuthorizationPolicyPtr& policy : verdict.dry_run) {
    note(Decision{policy.get(), policy->action, true}, facts);
  }
  if (verdict.policy != nullptr) {
    note(Decision{verdict.policy.get(), verdict.policy->action, false}, facts);
  } else if (!verdict.allowed()) {
    note(Decision{nullptr, AuthorizationAction::allow, false}, facts);
  }
}

void PolicyDecisions::note(const Decision& decision, const ConnectionFacts& facts) {
  const bool denies =
      decision.policy == nullptr || decision.action == model::AuthorizationAction::deny;
  const std::string_view result =
      decision.dry_run ? (denies ? "would_deny" : "would_allow") : (denies ? "denied" : "allowed");
  const std::string policy = decision.policy != nullptr ? decision.policy->key() : "";
  const std::string_view action = model::name_of(decision.action);
  group_.series(labels_of(policy, action, decision.dry_run, result))
      ->values[0]
      .fetch_add(1, std::memory_order_relaxed);
  if (!log::enabled(level_, kTarget)) return;
  log::Fields fields;
  if (!policy.empty()) fields.str("policy", policy);
  fields.str("action", action);
  fields.str("result", result);
  fields.display("src.addr", facts.source_address.to_string());
  if (facts.source.proven != nullptr) fields.str("src.identity", facts.source.proven->to_string());
  fields.display("dst.addr", facts.wanted_address.to_string());
  log::line(level_, kTarget, decision.dry_run ? "dry-run policy matched" : "policy decision",
            fields);
}

}  // namespace aquifer::ztunnel
