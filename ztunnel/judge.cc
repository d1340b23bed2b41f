#include "ztunnel/judge.h"

#include "ztunnel/judge_authorization.h"
#include "ztunnel/policy_decisions.h"
#include "ztunnel/worker.h"

namespace aquifer::ztunnel {

std::optional<Refusal> judge_inbound(const model::Snapshot& snapshot, const model::Workload& local,
                                     const ConnectionFacts& facts) {
  const auto verdict = authorize_inbound(snapshot, local, facts);
  if (!verdict.allowed()) return authorization_refusal(verdict);
  return judge_network_ingress(snapshot, local, facts);
}

std::optional<Refusal> admit_inbound(const Worker& worker, const model::Snapshot& snapshot,
                                     const model::Workload& local, const ConnectionFacts& facts) {
  const auto request = authorization_request(snapshot, local, facts);
  const model::AuthorizationBook& book = *snapshot.books().authorization;
  const auto verdict = model::authorize(book, request);
  worker.node.policies.note(verdict, facts);
  if (verdict.allowed()) return judge_network_ingress(snapshot, local, facts);
  Refusal refusal = authorization_refusal(verdict);
  refusal.detail = authorization_detail(book, request, verdict);
  return refusal;
}

}  // namespace aquifer::ztunnel
