// Where a connection goes: pure functions of a snapshot and plain values, shared by the data path
// and `explain`. Nothing here waits, draws random numbers or reads a clock; any thread may call it.
#pragma once

#include "common/base/address.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "config/model/avoided_endpoints.h"
#include "config/model/proxy_ports.h"
#include "config/model/resolved_target.h"
#include "config/model/service.h"
#include "config/model/snapshot.h"
#include "config/model/workload.h"

#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>

namespace aquifer::model {

/// A port of the proxy itself (proxy_ports.h).
[[nodiscard]] bool is_illegal_port(std::uint16_t port) noexcept;

struct ResolveRequest {
  /// The captured pod that dials. Never null.
  WorkloadPtr source;
  OriginalDst destination;
  /// Drawn by the caller for this connection: equal requests resolve equally.
  std::uint64_t random = 0;
  /// Endpoints that this very connection tried in vain: never chosen again.
  std::span<const EndpointId> tried = {};
  /// Endpoints that failed of late: chosen only if nothing else is left. May be null.
  const AvoidedEndpoints* avoided = nullptr;
  MonoTime now{};
};

/// Decides an outbound connection. Errors: recursion (a port of our own on loopback), not_found
/// (`no healthy upstream`; a waypoint that is missing or not ready, which is never passed by),
/// identity (nobody to expect at the end of a tunnel).
[[nodiscard]] Resolution resolve(const Snapshot& snapshot, const ResolveRequest& request);

struct InboundRequest {
  /// The pod in whose namespace the tunnel ended. Never null.
  WorkloadPtr local;
  /// Our end of the tunnel's TCP connection.
  LocalAddr connection;
  /// `:authority` as received.
  std::string_view authority;
};

struct InboundTarget {
  UpstreamAddr upstream;
  /// Set when the authority named a service by host.
  ServicePtr service;
};

/// Why a CONNECT is refused, and the status that says so to the peer.
struct InboundRefusal {
  int status = 0;
  Error error;
  /// For the log: "ip mismatch: 10.0.0.2 != 10.0.0.1".
  std::string reason;
};

/// Checks and resolves an inbound CONNECT whose method was checked; authorization comes after it.
[[nodiscard]] std::expected<InboundTarget, InboundRefusal> resolve_inbound(
    const Snapshot& snapshot, const InboundRequest& request);

/// Checks a captured plaintext connection: error `recursion` for a port of our own.
[[nodiscard]] Result<UpstreamAddr> resolve_inbound_plaintext(const OriginalDst& destination);

/// The service that a peer says (`forwarded: host=`) it was addressing, if `local` serves it; else
/// null, so that a peer cannot put a foreign service into our metrics.
[[nodiscard]] ServicePtr claimed_service(const Snapshot& snapshot, const Workload& local,
                                         std::string_view hostname);

}  // namespace aquifer::model
