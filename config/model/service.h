// A service and who serves it. Two records on purpose: `Service` is small and is kept by every
// connection to it, `EndpointSet` may be long and changes with every pod, so only the snapshot
// keeps it.
#pragma once

#include "common/base/address.h"
#include "common/base/spiffe.h"
#include "config/model/network_address.h"
#include "config/model/waypoint.h"
#include "config/model/workload.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace aquifer::model {

struct ServicePort {
  std::uint16_t port = 0;
  std::string name;
  /// The pods' port; 0 means a named port, which each endpoint maps for itself.
  std::uint16_t target_port = 0;
  std::string target_port_name;
  /// As written: "http", "kubernetes.io/h2c"; empty means unknown. Only the waypoint looks at it.
  std::string app_protocol;
  friend bool operator==(const ServicePort&, const ServicePort&) = default;
};

/// What a nearer endpoint has in common with the client, from the widest to the narrowest.
enum class RoutingScope : std::uint8_t { network, region, zone, subzone, node, cluster };

/// What to do with endpoints that match fewer scopes than others.
enum class BalancingMode : std::uint8_t {
  standard,  ///< all are equal
  failover,  ///< the best rank that has an eligible endpoint
  strict,    ///< only those that match every scope
  /// No endpoint is chosen: the connection goes to the very address that the client wanted.
  passthrough,
};

/// Which endpoints may be chosen at all.
enum class HealthPolicy : std::uint8_t { only_healthy, allow_all };

/// Which kinds of addresses a service is reached by.
enum class IpFamilies : std::uint8_t { dual, v4, v6 };

/// From trafficDistribution, internalTrafficPolicy and publishNotReadyAddresses.
struct LoadBalancing {
  BalancingMode mode = BalancingMode::standard;
  std::vector<RoutingScope> scopes;
  HealthPolicy health = HealthPolicy::only_healthy;
  friend bool operator==(const LoadBalancing&, const LoadBalancing&) = default;
};

enum class ServiceKind : std::uint8_t { cluster_ip, headless, external_name };

struct Service {
  std::string ns;
  std::string name;
  std::string hostname;
  ServiceKind kind = ServiceKind::cluster_ip;
  std::vector<NetworkAddress> vips;
  std::vector<NetworkCidr> cidr_vips;
  std::vector<ServicePort> ports;
  LoadBalancing balancing;
  /// Identities accepted besides the endpoint's own.
  std::vector<SpiffeId> subject_alt_names;
  /// The service's waypoints: one, or several that share the connections by weight. Empty: none.
  std::vector<WaypointRef> waypoints;
  IpFamilies ip_families = IpFamilies::dual;
  /// Of several services with one host name, the one that a client without one of its own
  /// namespace gets.
  bool canonical = false;
  /// A Service of the cluster: nobody else's entry for the same address takes its traffic over.
  bool kubernetes = false;
  /// Namespaces whose clients may use it; empty: all. One that no namespace can be called hides it
  /// from everybody.
  std::vector<std::string> export_to;
  /// What an external_name service's host stands for.
  std::string external_name;

  [[nodiscard]] const ServicePort* find_port(std::uint16_t port) const noexcept;
  [[nodiscard]] bool visible_to(std::string_view client_ns) const noexcept;
  friend bool operator==(const Service&, const Service&) = default;
};

using ServicePtr = std::shared_ptr<const Service>;

/// service port -> port of this endpoint.
struct PortMapping {
  std::uint16_t service_port = 0;
  std::uint16_t target_port = 0;
  friend bool operator==(const PortMapping&, const PortMapping&) = default;
};

struct Endpoint {
  std::string workload_uid;
  Health health = Health::healthy;
  /// Share in load balancing; never 0.
  std::uint32_t weight = 1;
  std::vector<PortMapping> ports;

  /// This endpoint's port for `service_port`; none when it does not serve it.
  [[nodiscard]] std::optional<std::uint16_t> target_port(std::uint16_t service_port) const noexcept;
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

/// An endpoint's port, as one number that tables of failures are keyed by. 0: no endpoint.
using EndpointId = std::uint64_t;
[[nodiscard]] EndpointId endpoint_id(std::string_view workload_uid, std::uint16_t port) noexcept;

/// Sorted by workload uid, each uid once.
struct EndpointSet {
  std::vector<Endpoint> endpoints;
  /// The largest weight among them, so that one can be drawn without adding all weights up.
  std::uint32_t weight_max = 1;

  [[nodiscard]] const Endpoint* find(std::string_view workload_uid) const noexcept;
  friend bool operator==(const EndpointSet&, const EndpointSet&) = default;
};

/// A service as the snapshot holds it. Neither pointer is null.
struct ServiceRecord {
  ServicePtr service;
  std::shared_ptr<const EndpointSet> endpoints;
};

using ServiceRecordPtr = std::shared_ptr<const ServiceRecord>;

/// NAMESPACE/HOSTNAME: what names a service uniquely.
[[nodiscard]] std::string service_key(std::string_view ns, std::string_view hostname);

}  // namespace aquifer::model
