// Why a connection goes where it goes: the decision of resolve() with everything it looked at. Made
// by the very code that decides for the data path, which merely leaves the notes out.
#pragma once

#include "common/base/address.h"
#include "config/model/endpoint_choice.h"
#include "config/model/resolve.h"
#include "config/model/snapshot.h"
#include "config/model/waypoint_choice.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace aquifer::model {

/// A service that has the address, and why it was or was not taken.
struct ServiceCandidate {
  enum class Verdict : std::uint8_t {
    chosen,
    invisible,       ///< not exported to the client's namespace
    less_preferred,  ///< another has the exact address, is of the client's namespace, or is nearer
  };
  ServicePtr service;
  /// The range that holds the address; none when the service has the very address.
  std::optional<Cidr> range;
  Verdict verdict = Verdict::less_preferred;
};
/// "chosen", "invisible", "less preferred".
[[nodiscard]] std::string_view name_of(ServiceCandidate::Verdict verdict) noexcept;

/// What was decided about a waypoint.
struct WaypointStep {
  enum class Verdict : std::uint8_t {
    none,       ///< nobody names one
    used,       ///< the connection passes it
    from_it,    ///< the client is the waypoint: not sent back to it
    ignored,    ///< the workload has one, but the connection is addressed to a service
    missing,    ///< named and not there: the connection fails
    not_ready,  ///< there, and nobody answers for it: the connection fails
    no_identity,
  };
  Verdict verdict = Verdict::none;
  /// Whose waypoint it is.
  Via via = Via::nobody;
  std::optional<WaypointRef> waypoint;
};
[[nodiscard]] std::string_view name_of(WaypointStep::Verdict verdict) noexcept;

struct ResolveTrace {
  /// Every service with the destination's address, the one that counts among them.
  std::vector<ServiceCandidate> services;
  /// Found by the destination's address, when no service was (or one that passes through).
  WorkloadPtr workload;
  WaypointStep waypoint;
  /// Whose endpoints the list below is: the service's, or the waypoint's own service's. Null when
  /// no endpoint had to be chosen.
  ServicePtr balanced;
  /// In the order of their uids. The one that was chosen has the result's `endpoint` as its id.
  std::vector<EndpointTrace> endpoints;
  /// Keeps what the views in `endpoints` point to.
  ServiceRecordPtr balanced_record;
  /// What resolve() answers: path, tunnel, authority, expected identities, or the error.
  Resolution result;
};

/// As resolve(), with the reasons. The snapshot must outlive the trace.
[[nodiscard]] ResolveTrace trace_resolve(const Snapshot& snapshot, const ResolveRequest& request);

}  // namespace aquifer::model
