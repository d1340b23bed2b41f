// Where a connection goes: pure functions of a snapshot and plain values, shared by the data path
// and `explain`. Nothing here waits, draws random numbers or reads a clock; any thread may call it.
#pragma once

#include "common/base/address.h"
#include "common/base/result.h"
#include "common/base/spiffe.h"
#include "config/model/service.h"
#include "config/model/snapshot.h"
#include "config/model/workload.h"

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace aquifer::model {

/// Ports of the proxy itself, which no connection may be sent to through the proxy.
inline constexpr std::uint16_t kOutboundPort = 15001;
inline constexpr std::uint16_t kInboundPlaintextPort = 15006;
inline constexpr std::uint16_t kInboundTunnelPort = 15008;
[[nodiscard]] bool is_illegal_port(std::uint16_t port) noexcept;

/// Where a proxy dials an application's own port.
using UpstreamAddr = RoleAddress<struct UpstreamAddrRole>;

/// How the bytes travel. Waypoints and gateways to other networks will be members of their own.
enum class Path : std::uint8_t {
  hbone,        ///< in a tunnel to the destination's own proxy
  plain,        ///< TCP to a workload that is not in the mesh
  passthrough,  ///< TCP to the original destination, about which nothing is known
};
[[nodiscard]] std::string_view name_of(Path path) noexcept;

/// What the connection's labels say about its security.
enum class SecurityPolicy : std::uint8_t { unknown, mutual_tls };
/// "unknown", "mutual_tls".
[[nodiscard]] std::string_view name_of(SecurityPolicy policy) noexcept;

struct ResolveRequest {
  /// The captured pod that dials. Never null.
  WorkloadPtr source;
  OriginalDst destination;
  /// Drawn by the caller for this connection: equal requests resolve equally.
  std::uint64_t random = 0;
};

struct ResolvedTarget {
  Path path = Path::passthrough;
  /// The application's address. The TCP connection goes there unless path is hbone.
  UpstreamAddr upstream;
  /// Where the tunnel ends; meaningful exactly when path is hbone.
  TunnelAddr tunnel;
  /// What CONNECT names; meaningful exactly when path is hbone.
  HboneTarget authority;
  /// Who may answer at the tunnel's end: any one of these; empty exactly when path is not hbone.
  std::vector<SpiffeId> expected_identities;
  SecurityPolicy security = SecurityPolicy::unknown;
  /// Null for passthrough.
  WorkloadPtr workload;
  /// Null when the destination was not a service's address.
  ServicePtr service;
};

/// Decides an outbound connection. Errors: recursion (a port of our own on loopback), not_found
/// (`no healthy upstream`, a waypoint or gateway that this version cannot use: refused, never
/// bypassed).
[[nodiscard]] Result<ResolvedTarget> resolve(const Snapshot& snapshot,
                                             const ResolveRequest& request);

/// The error as logs and people are told it: "no healthy upstream: 10.96.0.1:80".
[[nodiscard]] std::string describe_resolve_error(const Error& error,
                                                 const OriginalDst& destination);

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
