#include "waypoint/upstream/balancer.h"

namespace aquifer::waypoint {

void Balancer::members_changed(EndpointSpan /*members*/, const l7::Balancing& /*balancing*/) {}

std::unique_ptr<Balancer> make_balancer(l7::BalancerKind kind) {
  switch (kind) {
    case l7::BalancerKind::least_request: return make_least_request();
    case l7::BalancerKind::round_robin: return make_round_robin();
    case l7::BalancerKind::random: return make_random();
    case l7::BalancerKind::ewma: return make_ewma();
    case l7::BalancerKind::ring_hash: return make_ring_hash();
    case l7::BalancerKind::maglev: return make_maglev();
  }
  return make_least_request();
}

}  // namespace aquifer::waypoint
