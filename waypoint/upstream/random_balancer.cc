// Random: by weight alone.
#include "waypoint/upstream/balancer.h"
#include "waypoint/upstream/lottery.h"

namespace aquifer::waypoint {
namespace {

class RandomBalancer final : public Balancer {
 public:
  void usable_changed(EndpointSpan usable, PickContext& /*context*/) override {
    lottery_.fill(usable);
  }
  Endpoint* pick(PickContext& context) override { return lottery_.draw(context); }

 private:
  Lottery lottery_;
};

}  // namespace

std::unique_ptr<Balancer> make_random() {
  return std::make_unique<RandomBalancer>();
}

}  // namespace aquifer::waypoint
