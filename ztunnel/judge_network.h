// NetworkPolicies asked about a connection of the data path. Plain functions, as judge.h.
#pragma once

#include "config/model/network_policy.h"
#include "config/model/snapshot.h"
#include "ztunnel/connection.h"
#include "ztunnel/judge.h"

namespace aquifer::ztunnel {

/// The question that ingress policies of `local` are asked about an inbound connection. Views into
/// all three.
[[nodiscard]] model::NetworkRequest network_ingress_request(const model::Snapshot& snapshot,
                                                            const model::Workload& local,
                                                            const ConnectionFacts& facts);
/// The same for egress policies and an outbound connection.
[[nodiscard]] model::NetworkRequest network_egress_request(const model::Snapshot& snapshot,
                                                           const model::Workload& local,
                                                           const ConnectionFacts& facts);

/// How a denial is told; `verdict` is one.
[[nodiscard]] Refusal network_refusal(const model::NetworkVerdict& verdict);

}  // namespace aquifer::ztunnel
