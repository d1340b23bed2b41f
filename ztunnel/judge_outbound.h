// EgressPolicies asked about a connection of the data path. Plain functions, as judge.h.
#pragma once

#include "config/model/egress.h"
#include "config/model/snapshot.h"
#include "ztunnel/connection.h"

namespace aquifer::ztunnel {

/// The question that the egress policies of `local` are asked. Views into all three.
[[nodiscard]] model::EgressRequest egress_request(const model::Snapshot& snapshot,
                                                  const model::Workload& local,
                                                  const ConnectionFacts& facts);

/// Says in the log if policies in dry run would have rejected a connection that is allowed. Once,
/// when it opens; nobody's ClientHello is looked at for their sake.
void log_dry_run(const model::Snapshot& snapshot, const model::Workload& local,
                 const ConnectionFacts& facts);

}  // namespace aquifer::ztunnel
