// What EgressPolicies and NetworkPolicies say of a connection that a pod opens.
#include "ztunnel/judge_outbound.h"

#include "common/base/log.h"
#include "ztunnel/judge.h"
#include "ztunnel/judge_network.h"
#include "ztunnel/sniff.h"

#include <fmt/format.h>

namespace aquifer::ztunnel {
namespace {

using model::EgressOutcome;
using model::EgressReason;
using model::EgressRequest;
using model::EgressVerdict;

std::optional<Refusal> judge_network_egress(const model::Snapshot& snapshot,
                                            const model::Workload& local,
                                            const ConnectionFacts& facts) {
  const model::NetworkPolicyBook& book = *snapshot.books().network;
  if (book.empty()) return std::nullopt;
  const model::NetworkRequest request = network_egress_request(snapshot, local, facts);
  const model::NetworkVerdict verdict = model::judge_network_policy(book, request);
  if (!verdict.denied()) return std::nullopt;
  return network_refusal(verdict);
}

// "egress to 203.0.113.5:443 (resolved from a.com, b.com) denied by shop/web rules[1].to[0]"
std::string explain(const EgressVerdict& verdict, const EgressRequest& request) {
  const std::string destination = model::describe_destination(request);
  if (verdict.outcome == EgressOutcome::needs_server_name) {
    return fmt::format("no TLS ClientHello within {}s, policy {} needs the server name",
                       kServerNameTimeout.count(), verdict.policy->full_name());
  }
  if (verdict.reason == EgressReason::fallback) {
    return fmt::format("egress to {} is allowed by no rule, and {} is DENY", destination,
                       model::place_of(verdict));
  }
  return fmt::format("egress to {} is denied by {}", destination, model::place_of(verdict));
}

}  // namespace

EgressRequest egress_request(const model::Snapshot& snapshot, const model::Workload& local,
                             const ConnectionFacts& facts) {
  EgressRequest request;
  request.source = &local;
  request.dialled = facts.wanted_address;
  request.endpoint = facts.endpoint_address;
  request.service = facts.service.get();
  // Whose address was dialled, which behind a waypoint is not who answers.
  request.destination = snapshot.workload_by_ip(local.network, facts.wanted_address.ip).get();
  if (facts.names != nullptr) {
    request.hosts = facts.names->hosts;
    request.server_name = {facts.names->server_name_state, facts.names->server_name};
  }
  return request;
}

bool wants_server_name(const model::Snapshot& snapshot, const model::Workload& local,
                       const ConnectionFacts& facts) {
  const model::EgressBook& book = *snapshot.books().egress;
  if (book.empty()) return false;
  const EgressRequest request = egress_request(snapshot, local, facts);
  if (model::judge_egress(book, request).outcome != EgressOutcome::needs_server_name) return false;
  return !judge_network_egress(snapshot, local, facts);
}

std::optional<Refusal> judge_outbound(const model::Snapshot& snapshot, const model::Workload& local,
                                      const ConnectionFacts& facts) {
  if (auto refusal = judge_network_egress(snapshot, local, facts)) return refusal;
  const model::EgressBook& book = *snapshot.books().egress;
  if (book.empty()) return std::nullopt;
  const EgressRequest request = egress_request(snapshot, local, facts);
  const EgressVerdict verdict = model::judge_egress(book, request);
  if (verdict.outcome == EgressOutcome::allowed) return std::nullopt;
  Refusal refusal;
  refusal.reason = "connection closed due to policy rejection: " + explain(verdict, request);
  refusal.policy = verdict.policy->full_name();
  refusal.detail = model::place_of(verdict);
  return refusal;
}

void log_dry_run(const model::Snapshot& snapshot, const model::Workload& local,
                 const ConnectionFacts& facts) {
  const model::EgressBook& book = *snapshot.books().egress;
  if (!book.has_dry_run()) return;
  const EgressRequest request = egress_request(snapshot, local, facts);
  if (model::judge_egress(book, request).outcome != EgressOutcome::allowed) return;
  const EgressVerdict verdict = model::judge_egress_dry_run(book, request);
  if (verdict.outcome != EgressOutcome::denied) return;
  log::info("ztunnel::egress", "dry run: {}/{}: would be rejected: {}", local.ns, local.name,
            explain(verdict, request));
}

}  // namespace aquifer::ztunnel
