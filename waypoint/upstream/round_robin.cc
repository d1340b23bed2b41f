// Round robin, smooth with weights: whoever is due first is next, and is due again after
// 1 / weight (earliest deadline first, as Envoy's scheduler). Turns begin at random places, or all
// loops would send their first requests to the same endpoint.
#include "waypoint/upstream/balancer.h"
#include "waypoint/upstream/slow_start.h"

#include <algorithm>
#include <vector>

namespace aquifer::waypoint {
namespace {

struct Turn {
  double due = 0;
  Endpoint* endpoint = nullptr;
};

// The heap's front is the one that is due first.
bool later(const Turn& a, const Turn& b) noexcept {
  return a.due > b.due;
}

double period_of(const Endpoint& endpoint, const PickContext& context) noexcept {
  return 1 / (endpoint.weight * warmth_of(endpoint, context.balancing, context.now));
}

class RoundRobin final : public Balancer {
 public:
  void usable_changed(EndpointSpan usable, PickContext& context) override {
    turns_.clear();
    for (Endpoint* each : usable)
      turns_.push_back({context.random.unit() * period_of(*each, context), each});
    std::ranges::make_heap(turns_, later);
  }

  Endpoint* pick(PickContext& context) override {
    // Those that were tried lose their turn: a request has tried few.
    for (std::size_t i = 0; i < turns_.size(); ++i) {
      Endpoint* next = take_turn(context);
      if (!context.was_tried(*next)) return next;
    }
    // Light ones may not have had a turn among so few.
    const auto left = std::ranges::find_if(
        turns_, [&](const Turn& turn) { return !context.was_tried(*turn.endpoint); });
    return left == turns_.end() ? nullptr : left->endpoint;
  }

 private:
  Endpoint* take_turn(const PickContext& context) {
    std::ranges::pop_heap(turns_, later);
    Turn& turn = turns_.back();
    turn.due += period_of(*turn.endpoint, context);
    Endpoint* endpoint = turn.endpoint;
    std::ranges::push_heap(turns_, later);
    return endpoint;
  }

  std::vector<Turn> turns_;
};

}  // namespace

std::unique_ptr<Balancer> make_round_robin() {
  return std::make_unique<RoundRobin>();
}

}  // namespace aquifer::waypoint
