// A waypoint as the records of those behind it name it. What the name leads to is looked up for
// each connection: a waypoint that is gone or not ready must be noticed, never passed by.
#pragma once

#include "config/model/network_address.h"

#include <cstdint>
#include <optional>
#include <string>

namespace aquifer::model {

/// Where HBONE is spoken unless a record says otherwise.
inline constexpr std::uint16_t kDefaultTunnelPort = 15008;

struct WaypointRef {
  /// NAMESPACE/NAME of the Gateway, as people know it.
  std::string name;
  /// Where it is found, if it is named by an address: a service's or a workload's.
  std::optional<NetworkAddress> address;
  /// Else the namespace and host name of its service.
  std::string ns;
  std::string hostname;
  /// Where its service takes tunnels.
  std::uint16_t port = kDefaultTunnelPort;
  /// Its share of the connections, where there are several.
  std::uint32_t weight = 1;

  friend bool operator==(const WaypointRef&, const WaypointRef&) = default;
};

}  // namespace aquifer::model
