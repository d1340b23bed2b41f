// How a cluster's requests are spread: over tiers by distance and health, inside a tier over
// localities by share, and there by a balancer. On the cluster's loop.
#pragma once

#include "config/model/l7/cluster.h"
#include "config/model/service.h"
#include "waypoint/upstream/balancer.h"
#include "waypoint/upstream/standpoint.h"
#include "waypoint/upstream/tier_loads.h"

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace aquifer::waypoint {

class Spread {
 public:
  /// Begins anew with these endpoints; balancers that are still wanted keep what they know.
  /// To be followed by refresh().
  void rebuild(std::span<const EndpointPtr> endpoints, const l7::Cluster& cluster,
               const model::LoadBalancing& service, const Standpoint& here);

  /// Looks who is usable now. Returns when somebody who is left out comes back; never: the maximum.
  MonoTime refresh(const l7::Cluster& cluster, PickContext& context);

  /// Null when nobody is usable. Those that were tried only if everybody was.
  [[nodiscard]] Endpoint* pick(PickContext& context);

 private:
  struct Group {
    std::size_t tier = 0;
    double share = 1;  // of its tier
    double load = 0;   // of everything
    bool is_new = true;
    std::vector<Endpoint*> members;
    std::vector<Endpoint*> usable;
    std::unique_ptr<Balancer> balancer;
  };
  [[nodiscard]] std::vector<Census> take_census(MonoTime now) const;
  [[nodiscard]] static Census census_of(const Group& group, MonoTime now);
  static void tell_balancer(Group& group, PickContext& context);
  void share_load(std::vector<Census> tiers, MonoTime now);
  [[nodiscard]] Group* draw_group(PickContext& context);

  l7::BalancerKind kind_ = l7::BalancerKind::least_request;
  std::vector<Group> groups_;  // nearer tiers first
  std::size_t tiers_ = 0;
};

}  // namespace aquifer::waypoint
