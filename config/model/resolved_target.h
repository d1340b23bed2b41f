// The answer to "where does this connection go?", as a value.
#pragma once

#include "common/base/address.h"
#include "common/base/result.h"
#include "common/base/spiffe.h"
#include "config/model/service.h"
#include "config/model/workload.h"

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace aquifer::model {

/// Where a proxy dials an application's own port.
using UpstreamAddr = RoleAddress<struct UpstreamAddrRole>;

/// How the bytes travel. Gateways to other networks will be a member of their own.
enum class Path : std::uint8_t {
  hbone,        ///< in a tunnel to the destination's own proxy, or to a waypoint
  plain,        ///< TCP to a workload that is not in the mesh
  passthrough,  ///< TCP to the original destination
};
[[nodiscard]] std::string_view name_of(Path path) noexcept;

/// Who stands between.
enum class Via : std::uint8_t { nobody, service_waypoint, workload_waypoint };
/// "nobody", "service waypoint", "workload waypoint".
[[nodiscard]] std::string_view name_of(Via via) noexcept;

/// What the connection's labels say about its security.
enum class SecurityPolicy : std::uint8_t { unknown, mutual_tls };
/// "unknown", "mutual_tls".
[[nodiscard]] std::string_view name_of(SecurityPolicy policy) noexcept;

struct ResolvedTarget {
  Path path = Path::passthrough;
  Via via = Via::nobody;
  /// NAMESPACE/NAME of the waypoint; empty exactly when via is nobody.
  std::string waypoint;
  /// The application's address; through a waypoint, the address that the client wanted. The TCP
  /// connection goes there unless path is hbone.
  UpstreamAddr upstream;
  /// Where the tunnel ends; meaningful exactly when path is hbone.
  TunnelAddr tunnel;
  /// What CONNECT names; meaningful exactly when path is hbone.
  HboneTarget authority;
  /// Who may answer at the tunnel's end: any one of these; empty exactly when path is not hbone.
  std::vector<SpiffeId> expected_identities;
  SecurityPolicy security = SecurityPolicy::unknown;
  /// Who answers: the destination, or the waypoint. Null for passthrough.
  WorkloadPtr workload;
  /// The workload that the client addressed: that behind a workload waypoint, else `workload`. Null
  /// where nobody knows yet: for passthrough, and behind a service waypoint.
  WorkloadPtr addressed;
  /// Null when the destination was not a service's address.
  ServicePtr service;
  /// Set: the addresses above have only their ports, and are complete once this name was resolved.
  std::string unresolved_host;

  /// Which endpoint of the service, or of the waypoint, was chosen; 0 when there was no choice.
  EndpointId endpoint = 0;
  /// How many endpoints there were to choose from, eligible or not.
  std::size_t endpoints = 0;

  /// Completes the addresses of a target whose host has been resolved.
  void set_resolved(const IpAddress& ip) noexcept;
};

/// Why a connection goes nowhere.
struct Unresolved {
  Error error;
  /// As logs and people are told it: "no healthy upstream: 10.96.0.1:80".
  std::string reason;
};

using Resolution = std::expected<ResolvedTarget, Unresolved>;

}  // namespace aquifer::model
