// Whatever happens in whatever order: what holds for every choice.
#include "tests/unit/waypoint/upstream/fixtures.h"
#include "waypoint/upstream/cluster.h"

#include <doctest/doctest.h>

#include <vector>

namespace aquifer::waypoint {
namespace {

using namespace test;

// A mesh that changes at random, two loops that send requests into it and hear how they end.
class Story {
 public:
  Story(l7::BalancerKind kind, std::uint64_t seed) : random_(seed), world_(pods(8)) {
    world_.config.balancing.kind = kind;
    world_.config.balancing.prefer_near = random_.below(2) == 0;
    world_.config.balancing.slow_start = seconds(random_.below(2) * 10);
    world_.config.balancing.panic_percent = random_.below(2) * 40;
    world_.config.outlier.emplace();
    world_.config.outlier->consecutive_5xx = 2;
    world_.config.outlier->ejected_percent_max = 60;
    world_.here.locality = {"r0", "z0", ""};
    for (int i = 0; i < 2; ++i) loops_.push_back(world_.cluster());
  }

  void step() {
    now_ += milliseconds(random_.below(3000));
    switch (random_.below(8)) {
      case 0: return change_mesh();
      case 1:
      case 2:
      case 3: return end_one();
      default: return begin_one();
    }
  }

  void finish() {
    leases_.clear();
    for (const auto& loop : loops_) {
      for (const EndpointPtr& each : loop->endpoints()) CHECK(each->active == 0);
    }
  }

 private:
  void change_mesh() {
    Pod& pod = world_.members[random_.below(static_cast<std::uint32_t>(world_.members.size()))];
    switch (random_.below(5)) {
      case 0: pod.weight = 1 + random_.below(5); break;
      case 1: pod.locality = {"r" + std::to_string(random_.below(2)), "z0", ""}; break;
      case 2: pod.address = "10.77.0." + std::to_string(1 + random_.below(250)); break;
      case 3:
        pod.health = random_.below(2) == 0 ? model::Health::unhealthy : model::Health::healthy;
        break;
      default:
        pod.name = "pod" + std::to_string(random_.below(40));
        std::ranges::sort(world_.members, {}, &Pod::name);
        const auto [end, last] = std::ranges::unique(world_.members, {}, &Pod::name);
        world_.members.erase(end, last);
    }
    for (const auto& loop : loops_) world_.update(*loop, now_);
  }

  void begin_one() {
    Cluster& loop = *loops_[random_.below(2)];
    PickRequest request;
    request.now = now_;
    request.random = random_.next();
    request.hash = random_.next();
    std::vector<model::EndpointId> tried;
    if (!loop.endpoints().empty() && random_.below(2) == 0)
      tried.push_back(
          loop.endpoints()[random_.below(static_cast<std::uint32_t>(loop.endpoints().size()))]->id);
    request.tried = tried;
    auto lease = loop.pick(request);
    const bool merciful = world_.config.balancing.panic_percent > 0;
    const auto is_good = [&](const EndpointPtr& each) {
      return each->ready && !loop.is_ejected(*each, now_);
    };
    if (!lease) {
      CHECK(std::ranges::none_of(loop.endpoints(), is_good));
      return;
    }
    // Only those that belong to the cluster, and healthy ones unless there is panic.
    const auto found = std::ranges::find(loop.endpoints(), lease->pointer());
    REQUIRE(found != loop.endpoints().end());
    if (!merciful) CHECK(is_good(*found));
    if (!tried.empty() && (*found)->id == tried[0] && !merciful)
      CHECK(std::ranges::count_if(loop.endpoints(), is_good) == 1);
    leases_.push_back(std::move(*lease));
  }

  void end_one() {
    if (leases_.empty()) return;
    Lease lease = std::move(leases_[random_.below(static_cast<std::uint32_t>(leases_.size()))]);
    std::erase_if(leases_, [](const Lease& each) { return !each; });
    if (random_.below(4) > 0)
      lease.done(now_, random_.below(3) == 0 ? Outcome::reset : Outcome::answered,
                 random_.below(2) == 0 ? 200 : 500);
  }

  RandomSequence random_;
  World world_;
  std::vector<std::shared_ptr<Cluster>> loops_;
  std::vector<Lease> leases_;
  MonoTime now_ = at({});
};

TEST_CASE("every choice is of the cluster, healthy, untried if it can be, and counted") {
  for (const auto kind :
       {l7::BalancerKind::least_request, l7::BalancerKind::round_robin, l7::BalancerKind::random,
        l7::BalancerKind::ewma, l7::BalancerKind::ring_hash, l7::BalancerKind::maglev}) {
    CAPTURE(static_cast<int>(kind));
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
      CAPTURE(seed);
      Story story(kind, seed);
      for (int i = 0; i < 400; ++i) story.step();
      story.finish();
    }
  }
}

}  // namespace
}  // namespace aquifer::waypoint
