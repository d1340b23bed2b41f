// Least request: of two endpoints drawn by weight, the one that is less busy for its weight. The
// draw gives each its share while all are idle, the comparison keeps slow ones from piling up.
#include "waypoint/upstream/balancer.h"
#include "waypoint/upstream/lottery.h"
#include "waypoint/upstream/slow_start.h"

namespace aquifer::waypoint {
namespace {

// Requests under way for each unit of weight. Not (active + 1) / weight: that would let an idle
// heavy endpoint always win, on top of being drawn more often.
double load_of(const Endpoint& endpoint, const PickContext& context) noexcept {
  return endpoint.active / (endpoint.weight * warmth_of(endpoint, context.balancing, context.now));
}

class LeastRequest final : public Balancer {
 public:
  void usable_changed(EndpointSpan usable, PickContext& /*context*/) override {
    lottery_.fill(usable);
  }
  Endpoint* pick(PickContext& context) override {
    Endpoint* first = lottery_.draw(context);
    if (first == nullptr || first->active == 0) return first;
    Endpoint* second = lottery_.draw_other(context, first);
    return load_of(*second, context) < load_of(*first, context) ? second : first;
  }

 private:
  Lottery lottery_;
};

}  // namespace

std::unique_ptr<Balancer> make_least_request() {
  return std::make_unique<LeastRequest>();
}

}  // namespace aquifer::waypoint
