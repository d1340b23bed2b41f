// Which endpoint of a group gets a request: what all balancers have in common. On the cluster's
// loop.
#pragma once

#include "config/model/l7/cluster.h"
#include "waypoint/upstream/endpoint.h"
#include "waypoint/upstream/random_sequence.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

namespace aquifer::waypoint {

/// One choice under way.
struct PickContext {
  MonoTime now{};
  RandomSequence random;
  std::optional<std::uint64_t> hash;
  std::span<const model::EndpointId> tried;
  const l7::Balancing& balancing;

  [[nodiscard]] bool was_tried(const Endpoint& endpoint) const noexcept {
    return !tried.empty() && std::ranges::find(tried, endpoint.id) != tried.end();
  }
};

using EndpointSpan = std::span<Endpoint* const>;

/// Chooses among the endpoints of one group. Groups are replaced when endpoints come, go or move;
/// they are told anew who is usable when somebody is left out or returns.
class Balancer {
 public:
  Balancer() = default;
  virtual ~Balancer() = default;
  Balancer(const Balancer&) = delete;
  Balancer& operator=(const Balancer&) = delete;

  /// All of the group, sorted by uid, usable or not. For those that give everyone a fixed place.
  virtual void members_changed(EndpointSpan members, const l7::Balancing& balancing);
  /// The usable ones among them; called after members_changed(), too.
  virtual void usable_changed(EndpointSpan usable, PickContext& context) = 0;
  /// A usable one that was not tried; null when there is none.
  [[nodiscard]] virtual Endpoint* pick(PickContext& context) = 0;
};

[[nodiscard]] std::unique_ptr<Balancer> make_balancer(l7::BalancerKind kind);

// One file each; make_balancer() calls these.
[[nodiscard]] std::unique_ptr<Balancer> make_least_request();
[[nodiscard]] std::unique_ptr<Balancer> make_round_robin();
[[nodiscard]] std::unique_ptr<Balancer> make_random();
[[nodiscard]] std::unique_ptr<Balancer> make_ewma();
[[nodiscard]] std::unique_ptr<Balancer> make_ring_hash();
[[nodiscard]] std::unique_ptr<Balancer> make_maglev();

}  // namespace aquifer::waypoint
