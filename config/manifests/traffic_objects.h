// VirtualService and DestinationRule as they are written. What needs no other object is in the
// waypoint's own form already. Included by objects.h.
#pragma once

#include "config/manifests/object_meta.h"
#include "config/manifests/route_objects.h"
#include "config/model/l7/cluster.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace aquifer::manifests {

/// How a port's traffic is spoken to its endpoints, where a DestinationRule says so.
enum class ProtocolWish : std::uint8_t { none, http2, same_as_client };

/// A trafficPolicy. What is not written stays with the policy that this one stands over.
struct TrafficPolicyObject {
  std::optional<l7::Balancing> balancing;
  /// localityLbSetting.enabled
  std::optional<bool> locality_enabled;
  std::optional<l7::PoolLimits> limits;
  ProtocolWish protocol = ProtocolWish::none;
  std::optional<l7::OutlierDetection> outlier;
  /// Percent of healthy endpoints below which health is ignored.
  std::uint32_t panic_percent = 0;
  struct Tls {
    /// None for modes that say nothing to a waypoint.
    std::optional<l7::UpstreamTls> upstream;
  };
  std::optional<Tls> tls;
  struct RetryBudget {
    double percent = 20;
    std::uint32_t min = 3;
  };
  std::optional<RetryBudget> retry_budget;
  /// portLevelSettings; these inherit nothing.
  std::map<std::uint16_t, TrafficPolicyObject> ports;
};

struct SubsetObject {
  std::string name;
  StringMap labels;
  TrafficPolicyObject policy;
};

struct DestinationRuleObject {
  Metadata meta;
  std::string host;
  TrafficPolicyObject policy;
  std::vector<SubsetObject> subsets;
  /// As service_meta.h's export_to().
  std::vector<std::string> export_to;
  /// It has a workloadSelector, and so is for sidecars alone.
  bool for_sidecars = false;
};

/// A rule of a VirtualService's tcp or tls.
struct ConnectionRuleObject {
  struct Match {
    std::vector<std::string> server_names;  ///< empty: any
    std::string source_namespace;
    std::uint16_t port = 0;  ///< 0: all
  };
  /// Empty: everything matches.
  std::vector<Match> matches;
  std::vector<BackendObject> backends;
};

struct VirtualServiceObject {
  Metadata meta;
  /// In lower case, as written.
  std::vector<std::string> hosts;
  std::vector<std::string> export_to;
  /// Does it hold inside the mesh, and not at gateways alone?
  bool for_mesh = true;
  std::vector<RouteRuleObject> http;
  std::vector<ConnectionRuleObject> tls;
  std::vector<ConnectionRuleObject> tcp;
};

}  // namespace aquifer::manifests
