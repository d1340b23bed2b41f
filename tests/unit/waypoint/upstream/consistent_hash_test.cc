// Ring hash and maglev: the same hash finds the same endpoint, and little moves when endpoints
// come and go.
#include "tests/unit/waypoint/upstream/fixtures.h"
#include "waypoint/upstream/cluster.h"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

namespace aquifer::waypoint {
namespace {

using namespace test;

constexpr int kHashes = 20'000;

std::vector<std::string> map_all(Cluster& cluster, MonoTime now = at({})) {
  std::vector<std::string> result;
  Dice dice;
  Dice noise;
  for (int i = 0; i < kHashes; ++i) {
    PickRequest request;
    request.now = now;
    request.hash = dice.next();
    request.random = noise.next() + 1;
    const auto lease = cluster.pick(request);
    result.push_back(lease ? lease->endpoint().workload->name : "nobody");
  }
  return result;
}

Tally count(const std::vector<std::string>& chosen) {
  Tally tally;
  for (const std::string& each : chosen) ++tally[each];
  return tally;
}

// Of those that were not at `gone` before, how many are elsewhere now?
int moved_beside(const std::vector<std::string>& before, const std::vector<std::string>& after,
                 const std::string& gone) {
  int moved = 0;
  for (std::size_t i = 0; i < before.size(); ++i)
    if (before[i] != gone && before[i] != after[i]) ++moved;
  return moved;
}

struct Case {
  l7::BalancerKind kind;
  // How far shares are from even, and what may move beside the least, of 1.
  double unevenness;
  double disturbance;
};
const Case kCases[] = {{l7::BalancerKind::ring_hash, 0.25, 0},
                       {l7::BalancerKind::maglev, 0.08, 0.05}};

TEST_CASE("the same hash finds the same endpoint, in every replica and at every time") {
  for (const Case& each : kCases) {
    CAPTURE(static_cast<int>(each.kind));
    World world{pods(10)};
    world.config.balancing.kind = each.kind;
    const auto first = map_all(*world.cluster());
    World replica{pods(10)};
    replica.config.balancing.kind = each.kind;
    CHECK(first == map_all(*replica.cluster()));
  }
}

TEST_CASE("shares are even, or by weight") {
  for (const Case& each : kCases) {
    CAPTURE(static_cast<int>(each.kind));
    World world{pods(10)};
    world.config.balancing.kind = each.kind;
    const auto cluster = world.cluster();
    for (const auto& [name, share] : count(map_all(*cluster)))
      CHECK(share == doctest::Approx(kHashes / 10).epsilon(each.unevenness));
    world.members[4].weight = 3;
    world.update(*cluster, at(seconds(1)));
    Tally tally = count(map_all(*cluster));
    CHECK(tally["pod00004"] == doctest::Approx(kHashes / 4).epsilon(each.unevenness));
    CHECK(tally["pod00005"] == doctest::Approx(kHashes / 12).epsilon(each.unevenness));
  }
}

TEST_CASE("when an endpoint goes, its share moves and hardly anything beside it") {
  for (const Case& each : kCases) {
    CAPTURE(static_cast<int>(each.kind));
    World world{pods(10)};
    world.config.balancing.kind = each.kind;
    for (std::size_t i = 0; i < 10; ++i)
      world.members[i].address = "10.5.0." + std::to_string(i + 1);
    const auto cluster = world.cluster();
    const auto before = map_all(*cluster);
    const std::vector<Pod> all = world.members;
    world.members.erase(world.members.begin() + 3);
    world.update(*cluster, at(seconds(1)));
    const auto after = map_all(*cluster);
    CHECK(count(after).count("pod00003") == 0);
    CHECK(moved_beside(before, after, "pod00003") <= each.disturbance * kHashes);
    // What moved is spread, not heaped on a neighbour.
    for (const auto& [name, share] : count(after)) CHECK(share < kHashes / 9 * 1.4);
    // And it gets its share back.
    world.members = all;
    world.update(*cluster, at(seconds(2)));
    CHECK(map_all(*cluster) == before);
  }
}

TEST_CASE("while an endpoint is not ready only its share is elsewhere") {
  for (const Case& each : kCases) {
    CAPTURE(static_cast<int>(each.kind));
    World world{pods(10)};
    world.config.balancing.kind = each.kind;
    const auto cluster = world.cluster();
    const auto before = map_all(*cluster);
    world.members[3].health = model::Health::unhealthy;
    world.update(*cluster, at(seconds(1)));
    const auto after = map_all(*cluster);
    CHECK(count(after).count("pod00003") == 0);
    CHECK(moved_beside(before, after, "pod00003") == 0);
    for (const auto& [name, share] : count(after)) CHECK(share < kHashes / 9 * 1.4);
    world.members[3].health = model::Health::healthy;
    world.update(*cluster, at(seconds(2)));
    CHECK(map_all(*cluster) == before);
  }
}

TEST_CASE("a ring that was mended is the ring that would have been built") {
  World world{pods(30)};
  world.config.balancing.kind = l7::BalancerKind::ring_hash;
  for (std::size_t i = 0; i < 30; ++i) world.members[i].address = "10.5.0." + std::to_string(i + 1);
  const std::vector<Pod> all = world.members;
  const auto cluster = world.cluster();
  RandomSequence random(7);
  for (int round = 1; round <= 20; ++round) {
    world.members.clear();
    for (const Pod& pod : all) {
      if (random.below(3) == 0) continue;
      world.members.push_back(pod);
      world.members.back().weight = 1 + random.below(2);
    }
    world.update(*cluster, at(seconds(round)));
    REQUIRE(map_all(*cluster) == map_all(*world.cluster()));
  }
}

TEST_CASE("without a hash any endpoint will do") {
  for (const Case& each : kCases) {
    World world{pods(3)};
    world.config.balancing.kind = each.kind;
    CHECK(tally(*world.cluster(), 200).size() == 3);
  }
}

TEST_CASE("sizes that make no sense are mended") {
  for (const Case& each : kCases) {
    for (const std::uint32_t size : {0U, 1U, 2U, 4U, 65536U, 4'294'967'295U}) {
      CAPTURE(size);
      World world{pods(5)};
      world.config.balancing.kind = each.kind;
      world.config.balancing.maglev_table = size;
      world.config.balancing.ring_size_min = size;
      world.members[1].weight = 4'294'967'295U;
      CHECK(tally(*world.cluster(), 50).count("nobody") == 0);
    }
  }
}

}  // namespace
}  // namespace aquifer::waypoint
