// AuthorizationPolicies asked about a connection of the data path. Plain functions, as judge.h.
#pragma once

#include "config/model/authorization.h"
#include "config/model/snapshot.h"
#include "ztunnel/connection.h"
#include "ztunnel/judge.h"

namespace aquifer::ztunnel {

/// The question about a connection to `local`, whose record of the same version as the policies
/// counts. Views into all three.
[[nodiscard]] model::AuthorizationRequest authorization_request(const model::Snapshot& snapshot,
                                                                const model::Workload& local,
                                                                const ConnectionFacts& facts);

[[nodiscard]] model::AuthorizationVerdict authorize_inbound(const model::Snapshot& snapshot,
                                                            const model::Workload& local,
                                                            const ConnectionFacts& facts);

/// How a denial is told; `verdict` is one. Without a detail: see authorization_detail().
[[nodiscard]] Refusal authorization_refusal(const model::AuthorizationVerdict& verdict);

/// The clause that matched, if any, and the nearest miss; with an effort that a flood of denied
/// connections may cause.
[[nodiscard]] std::string authorization_detail(const model::AuthorizationBook& book,
                                               const model::AuthorizationRequest& request,
                                               const model::AuthorizationVerdict& verdict);

/// Warns about policies that the record of a pod names and nobody has: they are skipped.
void warn_of_missing_policies(const model::Snapshot& snapshot, const model::Workload& local);

}  // namespace aquifer::ztunnel
