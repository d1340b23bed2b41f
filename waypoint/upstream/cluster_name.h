// The parts of a cluster's key. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace aquifer::waypoint {

/// Views into the key.
struct ClusterName {
  std::string_view service_ns;
  std::string_view hostname;
  std::uint16_t port = 0;
  std::string_view subset;  ///< may be empty
};

/// NS/HOSTNAME:PORT[/SUBSET]; none for anything else.
[[nodiscard]] std::optional<ClusterName> parse_cluster_key(std::string_view key) noexcept;

}  // namespace aquifer::waypoint
