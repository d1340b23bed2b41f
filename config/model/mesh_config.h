// What holds for the whole mesh: Istio's MeshConfig, as far as this data plane reads it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace aquifer::model {

/// The fields of `defaultConfig` that a ztunnel honours; absent ones keep the program's own
/// defaults.
struct ProxyDefaults {
  std::optional<std::uint16_t> admin_port;
  std::optional<std::uint16_t> stats_port;
  std::optional<std::uint32_t> concurrency;
  std::string discovery_address;
  std::map<std::string, std::string> metadata;
  friend bool operator==(const ProxyDefaults&, const ProxyDefaults&) = default;
};

struct MeshConfig {
  /// Policies in this namespace hold for the whole mesh.
  std::string root_namespace = "istio-system";
  std::string trust_domain = "cluster.local";
  ProxyDefaults proxy;
  friend bool operator==(const MeshConfig&, const MeshConfig&) = default;
};

}  // namespace aquifer::model
