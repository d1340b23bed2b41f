#include "ztunnel/judge_authorization.h"

#include "common/base/log.h"
#include "config/model/authorization_words.h"
#include "config/model/nearest_miss.h"

namespace aquifer::ztunnel {
namespace {

// About 20 us at most beside the microsecond of the decision, where the client's handshake cost ten
// times that. `ztunnel explain` looks further.
constexpr model::MissEffort kDetailEffort{.rules = 64, .trials = 16};

}  // namespace

model::AuthorizationRequest authorization_request(const model::Snapshot& snapshot,
                                                  const model::Workload& local,
                                                  const ConnectionFacts& facts) {
  // The record names policies, so it must be of their version: the pod's own is replaced a moment
  // later.
  const model::WorkloadPtr& newest = snapshot.workload_by_uid(local.uid);
  model::AuthorizationRequest request;
  request.source = facts.source_address;
  request.identity = facts.source.proven.get();
  request.destination = facts.wanted_address;
  request.workload = newest != nullptr ? newest.get() : &local;
  return request;
}

model::AuthorizationVerdict authorize_inbound(const model::Snapshot& snapshot,
                                              const model::Workload& local,
                                              const ConnectionFacts& facts) {
  return model::authorize(*snapshot.books().authorization,
                          authorization_request(snapshot, local, facts));
}

Refusal authorization_refusal(const model::AuthorizationVerdict& verdict) {
  Refusal refusal;
  refusal.flag = telemetry::ResponseFlag::deny;
  refusal.reason = "connection closed due to policy rejection: " + verdict.refusal();
  if (verdict.policy != nullptr) refusal.policy = verdict.policy->key();
  return refusal;
}

std::string authorization_detail(const model::AuthorizationBook& book,
                                 const model::AuthorizationRequest& request,
                                 const model::AuthorizationVerdict& verdict) {
  std::string detail;
  if (verdict.policy != nullptr) {
    detail = model::describe_rule(*verdict.policy, verdict.rule, request);
  }
  const std::string miss = model::nearest_miss(book, request, verdict, kDetailEffort);
  if (!detail.empty() && !miss.empty()) detail += "; ";
  return detail + miss;
}

void warn_of_missing_policies(const model::Snapshot& snapshot, const model::Workload& local) {
  for (const std::string& name : model::missing_policies(*snapshot.books().authorization, local)) {
    log::warn("ztunnel::rbac",
              "{} is bound to the authorization policy {}, which is not known: skipped", local.uid,
              name);
  }
}

}  // namespace aquifer::ztunnel
