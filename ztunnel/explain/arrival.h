// The end of a connection, for `explain`: who stands before the destination and what it says. Pure.
#pragma once

#include "common/base/address.h"
#include "common/base/spiffe.h"
#include "config/model/resolved_target.h"
#include "config/model/snapshot.h"
#include "ztunnel/explain/explanation.h"

#include <string>
#include <vector>

namespace aquifer::ztunnel {

/// A connection as it comes to its destination.
struct Arrival {
  /// Null: the mesh does not know who is there.
  model::WorkloadPtr local;
  /// Who is known to have that address; null: nobody.
  model::WorkloadPtr peer;
  IpAddress peer_address;
  /// What the tunnel proves of the peer; null: it comes in plaintext.
  const SpiffeId* identity = nullptr;
  SocketAddress application;
  model::ServicePtr service;
};

/// Fills in what the destination says, and both ends' outcome; `endpoint.egress` is there already.
void explain_arrival(const model::Snapshot& snapshot, const Arrival& arrival,
                     EndpointStep& endpoint);

/// NAMESPACE/NAME; empty for nobody.
[[nodiscard]] std::string name_of_workload(const model::Workload* workload);

/// The places that a waypoint sends a connection on to.
struct BehindWaypoint {
  /// kEndpointsExplainedMax at most.
  std::vector<EndpointStep> endpoints;
  std::vector<std::string> notes;
  /// Of all that may be chosen, shown or not.
  Outcome outcome = Outcome::not_asked;
};

/// `target` goes through a waypoint to what its client wanted, `wanted`.
[[nodiscard]] BehindWaypoint explain_behind(const model::Snapshot& snapshot,
                                            const model::ResolvedTarget& target,
                                            const SocketAddress& wanted);

}  // namespace aquifer::ztunnel
