// What the policies at both ends of a connection say, for `explain`: the verdict of the very
// functions that the data path asks (ztunnel/judge.h), with every policy that was looked at.
#pragma once

#include "config/model/snapshot.h"
#include "ztunnel/connection.h"
#include "ztunnel/explain/explanation.h"

#include <string>

namespace aquifer::ztunnel {

/// EgressPolicy and NetworkPolicy, asked by the proxy of the captured pod `local` that dials.
[[nodiscard]] Judgement judge_at_source(const model::Snapshot& snapshot,
                                        const model::Workload& local, const ConnectionFacts& facts);

/// AuthorizationPolicy, PeerAuthentication and NetworkPolicy, asked by the proxy of the captured
/// pod `local` that is dialled.
[[nodiscard]] Judgement judge_at_destination(const model::Snapshot& snapshot,
                                             const model::Workload& local,
                                             const ConnectionFacts& facts);

/// Nobody judges, and why.
[[nodiscard]] Judgement nobody_judges(std::string why);

}  // namespace aquifer::ztunnel
