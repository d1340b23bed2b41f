// How far an endpoint is from this waypoint: its tier (nearer ones first) or its share, from the
// rules of the cluster and the preferences of the service. Pure.
#pragma once

#include "config/model/l7/cluster.h"
#include "config/model/service.h"
#include "waypoint/upstream/standpoint.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace aquifer::waypoint {

struct Place {
  std::size_t tier = 0;   ///< 0: the nearest
  std::size_t share = 0;  ///< which of Placement::shares(); 0 without `distribute`
  friend bool operator==(const Place&, const Place&) = default;
};

/// The rules as they apply to one waypoint. `distribute` wins over `failover` and `prefer_near`,
/// these over what the service itself prefers (trafficDistribution); only what the service insists
/// on (internalTrafficPolicy: Local) always holds.
class Placement {
 public:
  Placement(const l7::Balancing& balancing, const model::LoadBalancing& service,
            const Standpoint& here);

  /// None: not to be used from here.
  [[nodiscard]] std::optional<Place> of(const model::Workload& workload) const;
  /// Of each share its part of the whole; they add up to 1.
  [[nodiscard]] const std::vector<double>& shares() const noexcept { return shares_; }

 private:
  struct Destination {
    std::string_view pattern;
    std::size_t share = 0;
  };
  void read_distribution();
  [[nodiscard]] std::size_t nearness(const model::Locality& there) const;
  [[nodiscard]] std::size_t scopes_in_common(const model::Workload& workload) const;

  const l7::Balancing& balancing_;
  const model::LoadBalancing& service_;
  const Standpoint& here_;
  std::vector<Destination> destinations_;  // the most specific first
  std::vector<double> shares_;
};

/// "region/zone/subzone"; parts that are "*" or missing fit anything, as in DestinationRules.
[[nodiscard]] bool fits_locality(std::string_view pattern,
                                 const model::Locality& locality) noexcept;

}  // namespace aquifer::waypoint
