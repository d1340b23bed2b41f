// What the mesh's policies say of one connection, with the answer in the log's words. Plain
// functions of one snapshot and the connection's facts: asked when it opens, and again when
// policies change.
#pragma once

#include "common/telemetry/traffic_labels.h"
#include "config/model/snapshot.h"
#include "ztunnel/connection.h"

#include <optional>
#include <string>

namespace aquifer::ztunnel {

/// Why a connection is not served.
struct Refusal {
  telemetry::ResponseFlag flag = telemetry::ResponseFlag::deny;
  /// What the access log says after `error=`.
  std::string reason;
  /// NAMESPACE/NAME of the policy that decided; empty when no single one did.
  std::string policy;
  /// For people who ask why: the clause that matched, or what would have had to be different.
  std::string detail;
};

/// A connection that comes to the captured pod `local` (its newest record). None: it is allowed.
[[nodiscard]] std::optional<Refusal> judge_inbound(const model::Snapshot& snapshot,
                                                   const model::Workload& local,
                                                   const ConnectionFacts& facts);

/// The same for a connection that opens: counted, logged where that is wanted, and a refusal says
/// in detail why.
[[nodiscard]] std::optional<Refusal> admit_inbound(const Worker& worker,
                                                   const model::Snapshot& snapshot,
                                                   const model::Workload& local,
                                                   const ConnectionFacts& facts);

/// The part of it that Kubernetes' NetworkPolicies decide.
[[nodiscard]] std::optional<Refusal> judge_network_ingress(const model::Snapshot& snapshot,
                                                           const model::Workload& local,
                                                           const ConnectionFacts& facts);

/// Would a look at the client's TLS ClientHello change what judge_outbound() says? Asked once, when
/// the connection opens; the answer goes into `facts.names`.
[[nodiscard]] bool wants_server_name(const model::Snapshot& snapshot, const model::Workload& local,
                                     const ConnectionFacts& facts);

/// A connection that the captured pod `local` opens. None: it is allowed. Where a policy needs a
/// server name that nobody looked at, it is not.
[[nodiscard]] std::optional<Refusal> judge_outbound(const model::Snapshot& snapshot,
                                                    const model::Workload& local,
                                                    const ConnectionFacts& facts);

/// What the log says of a connection that was open when a policy began to forbid it.
inline constexpr const char* kPolicyChange = "connection closed due to policy change";

}  // namespace aquifer::ztunnel
