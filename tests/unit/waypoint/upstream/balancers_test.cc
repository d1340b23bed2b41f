// Who gets how much, balancer by balancer. All numbers are drawn from fixed seeds; the bounds are
// five standard deviations.
#include "tests/unit/waypoint/upstream/fixtures.h"
#include "waypoint/upstream/balancer.h"

#include <doctest/doctest.h>

#include <cmath>
#include <deque>

namespace aquifer::waypoint {
namespace {

using namespace test;

constexpr int kRequests = 20'000;

void check_share(const Tally& tally, const std::string& name, double share) {
  CAPTURE(name);
  const double deviation = std::sqrt(kRequests * share * (1 - share));
  const auto found = tally.find(name);
  REQUIRE(found != tally.end());
  CHECK(std::abs(found->second - kRequests * share) < 5 * deviation);
}

std::vector<Pod> weighted_pods() {
  std::vector<Pod> members = pods(4);
  for (std::uint32_t i = 0; i < 4; ++i) members[i].weight = i + 1;
  return members;
}

void check_weighted(const Tally& tally) {
  check_share(tally, "pod00000", 0.1);
  check_share(tally, "pod00001", 0.2);
  check_share(tally, "pod00002", 0.3);
  check_share(tally, "pod00003", 0.4);
}

TEST_CASE("random gives each its weight") {
  World world{weighted_pods()};
  world.config.balancing.kind = l7::BalancerKind::random;
  check_weighted(tally(*world.cluster(), kRequests));
}

TEST_CASE("least request gives each its weight while nobody is busy") {
  World world{weighted_pods()};
  check_weighted(tally(*world.cluster(), kRequests));
  World even{pods(3)};
  const Tally equal = tally(*even.cluster(), kRequests);
  for (const char* name : {"pod00000", "pod00001", "pod00002"}) check_share(equal, name, 1.0 / 3);
}

TEST_CASE("round robin gives each exactly its turns, and spreads them") {
  World world{pods(3)};
  world.config.balancing.kind = l7::BalancerKind::round_robin;
  world.members[0].weight = 3;
  const auto cluster = world.cluster();
  Dice dice;
  int in_a_row = 0;
  Tally counts;
  for (int i = 0; i < 500; ++i) {
    const std::string name = cluster->pick(dice.request())->endpoint().workload->name;
    ++counts[name];
    in_a_row = name == "pod00000" ? in_a_row + 1 : 0;
    // 3 of 5 turns: smooth means never all three and another three behind each other.
    CHECK(in_a_row <= 3);
  }
  CHECK(std::abs(counts["pod00000"] - 300) <= 1);
  CHECK(std::abs(counts["pod00001"] - 100) <= 1);
  CHECK(std::abs(counts["pod00002"] - 100) <= 1);
}

TEST_CASE("round robin of equals visits everybody before anybody again") {
  World world{pods(7)};
  world.config.balancing.kind = l7::BalancerKind::round_robin;
  const auto cluster = world.cluster();
  for (int round = 0; round < 20; ++round) {
    const Tally counts = tally(*cluster, 7);
    CHECK(counts.size() == 7);
  }
}

TEST_CASE("round robin goes on after a version that changed nothing") {
  World world{pods(4)};
  world.config.balancing.kind = l7::BalancerKind::round_robin;
  const auto cluster = world.cluster();
  Tally counts;
  Dice dice;
  for (int i = 0; i < 40; ++i) {
    ++counts[cluster->pick(dice.request())->endpoint().workload->name];
    world.update(*cluster, at(seconds(i)));
  }
  for (const auto& [name, count] : counts) CHECK(count == 10);
}

// Endpoints answer after their own number of requests that began later: a slow one keeps them.
Tally busy_tally(Cluster& cluster, const std::map<std::string, std::size_t>& slowness) {
  Tally counts;
  Dice dice;
  std::map<std::string, std::deque<std::pair<int, Lease>>> under_way;
  for (int i = 0; i < kRequests; ++i) {
    const MonoTime now = at(milliseconds(i));
    for (auto& [name, leases] : under_way) {
      while (!leases.empty() && leases.front().first <= i) {
        leases.front().second.done(now, Outcome::answered, 200);
        leases.pop_front();
      }
    }
    Lease lease = cluster.pick(dice.request(now)).value();
    const std::string name = lease.endpoint().workload->name;
    ++counts[name];
    under_way[name].emplace_back(i + static_cast<int>(slowness.at(name)), std::move(lease));
  }
  return counts;
}

TEST_CASE("least request gives a slow endpoint less, so that it does not pile up") {
  World world{pods(3)};
  Tally counts =
      busy_tally(*world.cluster(), {{"pod00000", 300}, {"pod00001", 10}, {"pod00002", 10}});
  CHECK(counts["pod00000"] < counts["pod00001"] / 2);
  World random{pods(3)};
  random.config.balancing.kind = l7::BalancerKind::random;
  counts = busy_tally(*random.cluster(), {{"pod00000", 300}, {"pod00001", 10}, {"pod00002", 10}});
  check_share(counts, "pod00000", 1.0 / 3);
}

TEST_CASE("least request keeps more under way at heavier endpoints") {
  World world{pods(2)};
  world.members[1].weight = 3;
  const auto cluster = world.cluster();
  Dice dice;
  std::vector<Lease> leases;
  for (int i = 0; i < 400; ++i) leases.push_back(cluster->pick(dice.request()).value());
  CHECK(std::abs(static_cast<int>(endpoint_of(*cluster, "pod00000").active) - 100) <= 8);
}

TEST_CASE("EWMA prefers the fast endpoint, and tries the slow one again in time") {
  World world{pods(2)};
  world.config.balancing.kind = l7::BalancerKind::ewma;
  const auto cluster = world.cluster();
  const auto answer = [&](std::string_view name, Duration latency) {
    PickRequest request;
    request.now = at({});
    request.preferred = endpoint_of(*cluster, name).id;
    auto lease = cluster->pick(request);
    lease->done(at(latency), Outcome::answered, 200);
  };
  answer("pod00000", milliseconds(5));
  answer("pod00001", milliseconds(50));
  Tally counts = tally(*cluster, 100, at(seconds(1)));
  CHECK(counts["pod00000"] >= 98);
  SUBCASE("load counts, too: with many under way at the fast one the slow one gets its part") {
    Dice dice;
    std::vector<Lease> leases;
    for (int i = 0; i < 300; ++i)
      leases.push_back(cluster->pick(dice.request(at(seconds(1)))).value());
    // Ten times slower: with 273 there and 27 here both would take as long.
    const std::uint32_t slow = endpoint_of(*cluster, "pod00001").active;
    CHECK(slow >= 24);
    CHECK(slow <= 30);
  }
  SUBCASE("what was slow a minute ago is tried again") {
    PickRequest request;
    request.now = at(seconds(60));
    request.preferred = endpoint_of(*cluster, "pod00000").id;
    auto lease = cluster->pick(request);
    lease->done(at(seconds(60) + milliseconds(5)), Outcome::answered, 200);
    counts = tally(*cluster, 100, at(seconds(61)));
    CHECK(counts["pod00001"] >= 98);
  }
  SUBCASE("a peak counts at once") {
    answer("pod00000", seconds(2));
    counts = tally(*cluster, 100, at(seconds(2)));
    CHECK(counts["pod00001"] >= 98);
  }
  SUBCASE("an endpoint that fails fast does not look fast") {
    report(*cluster, "pod00000", at(milliseconds(10)), Outcome::connect_failed);
    counts = tally(*cluster, 100, at(seconds(1)));
    CHECK(counts["pod00001"] >= 98);
  }
  SUBCASE("what it took to hear of the answer counts, not the download") {
    PickRequest request;
    request.now = at(seconds(1));
    request.preferred = endpoint_of(*cluster, "pod00000").id;
    auto lease = cluster->pick(request);
    lease->answer_began(at(seconds(1) + milliseconds(5)));
    lease->answer_began(at(seconds(50)));
    lease->done(at(seconds(60)), Outcome::answered, 200);
    CHECK(endpoint_of(*cluster, "pod00000").latency_ewma <= 6e6);
  }
}

TEST_CASE("a new endpoint warms up in slow start, and has its share afterwards") {
  for (const auto kind :
       {l7::BalancerKind::least_request, l7::BalancerKind::round_robin, l7::BalancerKind::random}) {
    CAPTURE(static_cast<int>(kind));
    World world{pods(3)};
    world.config.balancing.kind = kind;
    world.config.balancing.slow_start = seconds(100);
    const auto cluster = world.cluster();
    // Those that the cluster began with are thought to be warm.
    check_share(tally(*cluster, kRequests), "pod00000", 1.0 / 3);
    world.members.push_back({.name = "young"});
    world.update(*cluster, at(seconds(1)));
    const auto share = [&](Duration age) {
      // A fifth of the window at once: turns that were given before count for little.
      tally(*cluster, 200, at(seconds(1) + age));
      return tally(*cluster, kRequests, at(seconds(1) + age))["young"] / double{kRequests};
    };
    CHECK(share({}) == doctest::Approx(0.1 / 3.1).epsilon(0.15));
    CHECK(share(seconds(50)) == doctest::Approx(0.5 / 3.5).epsilon(0.1));
    CHECK(share(seconds(100)) == doctest::Approx(0.25).epsilon(0.1));
  }
}

}  // namespace
}  // namespace aquifer::waypoint
