// Which endpoint of a service gets a connection: a pure function of the snapshot, the client, what
// failed before, and one random number.
#pragma once

#include "common/base/address.h"
#include "common/base/time.h"
#include "config/model/avoided_endpoints.h"
#include "config/model/service.h"
#include "config/model/snapshot.h"
#include "config/model/workload.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace aquifer::model {

/// Must the endpoint serve the port by its service's ports? Waypoints take tunnels on a port that
/// their service need not name.
enum class PortRule : std::uint8_t { mapped, mapped_or_same };

struct EndpointQuestion {
  const Snapshot& snapshot;
  const ServiceRecord& record;
  const Workload& client;
  /// The service port, and the family of addresses that the client uses.
  SocketAddress wanted;
  PortRule ports = PortRule::mapped;
  std::uint64_t random = 0;
  /// Never chosen.
  std::span<const EndpointId> tried;
  /// Chosen only if nothing else is left. May be null.
  const AvoidedEndpoints* avoided = nullptr;
  MonoTime now{};
};

/// An endpoint that can take the connection, with the address and port it will be dialled at.
struct EndpointChoice {
  WorkloadPtr workload;
  /// Only the port counts for a workload that has a host name and no address.
  SocketAddress address;
  EndpointId id = 0;
};

/// Weighted random among the eligible: healthy (or the service does not care), serving the port, on
/// the client's network, with an address. The service's routing preferences narrow them first.
/// None: there is no healthy upstream.
[[nodiscard]] std::optional<EndpointChoice> choose_endpoint(const EndpointQuestion& question);

/// Why an endpoint may or may not be chosen.
enum class EndpointVerdict : std::uint8_t {
  eligible,
  unhealthy,
  no_port,           ///< does not serve the port
  unknown_workload,  ///< the mesh has no record of it
  other_network,     ///< reached by a gateway only
  no_address,
  tried,      ///< this very connection tried it in vain
  too_far,    ///< lacks something in common with the client that the service insists on
  outranked,  ///< others are nearer to the client
  avoided,    ///< failed of late, and others are left
};
/// "eligible", "unhealthy", ... with spaces: for people.
[[nodiscard]] std::string_view name_of(EndpointVerdict verdict) noexcept;

struct EndpointTrace {
  std::string_view uid;
  /// May be null.
  WorkloadPtr workload;
  SocketAddress address;
  std::uint32_t weight = 1;
  /// How many of the service's scopes it shares with the client, from the first on.
  std::size_t rank = 0;
  EndpointVerdict verdict = EndpointVerdict::eligible;
  EndpointId id = 0;
};

/// What choose_endpoint() thinks of each endpoint. The views live as long as the record.
[[nodiscard]] std::vector<EndpointTrace> judge_endpoints(const EndpointQuestion& question);

}  // namespace aquifer::model
