// Near and far: tiers, what spills over, and shares by locality.
#include "tests/unit/waypoint/upstream/fixtures.h"
#include "waypoint/upstream/cluster.h"
#include "waypoint/upstream/placement.h"
#include "waypoint/upstream/tier_loads.h"

#include <doctest/doctest.h>

namespace aquifer::waypoint {
namespace {

using namespace test;

constexpr int kRequests = 10'000;

// Three pods in each place, named after it.
std::vector<Pod> places(const std::vector<model::Locality>& localities) {
  std::vector<Pod> result;
  for (const model::Locality& each : localities) {
    for (int i = 0; i < 3; ++i) {
      result.push_back(
          {.name = each.region + "-" + each.zone + "-" + each.subzone + "-" + std::to_string(i),
           .locality = each});
    }
  }
  return result;
}

// Shares in percent, by the name without its number.
std::map<std::string, double> shares(Cluster& cluster, MonoTime now = at({})) {
  std::map<std::string, double> result;
  for (const auto& [name, count] : tally(cluster, kRequests, now))
    result[name == "nobody" ? name : name.substr(0, name.size() - 2)] += count * 100.0 / kRequests;
  return result;
}

void sicken(World& world, std::string_view prefix, int count) {
  for (Pod& pod : world.members) {
    if (count == 0) return;
    if (!pod.name.starts_with(prefix) || pod.health == model::Health::unhealthy) continue;
    pod.health = model::Health::unhealthy;
    --count;
  }
}

const model::Locality kHere{"eu", "a", "1"};
const std::vector<model::Locality> kAround{
    {"eu", "a", "1"}, {"eu", "a", "2"}, {"eu", "b", "1"}, {"us", "a", "1"}, {"ap", "a", "1"}};

TEST_CASE("nearer endpoints first, farther ones as the nearer fall sick") {
  World world{places(kAround)};
  world.here.locality = kHere;
  world.config.balancing.prefer_near = true;
  const auto cluster = world.cluster();
  CHECK(shares(*cluster) == std::map<std::string, double>{{"eu-a-1", 100}});
  // Two of three can carry 2/3 * 1.4 = 93 percent.
  sicken(world, "eu-a-1", 1);
  world.update(*cluster, at(seconds(1)));
  auto now = shares(*cluster);
  CHECK(now["eu-a-1"] == doctest::Approx(93.3).epsilon(0.02));
  CHECK(now["eu-a-2"] == doctest::Approx(6.7).epsilon(0.15));
  CHECK(now.size() == 2);
  sicken(world, "eu-a-1", 1);
  world.update(*cluster, at(seconds(2)));
  now = shares(*cluster);
  CHECK(now["eu-a-1"] == doctest::Approx(46.7).epsilon(0.05));
  CHECK(now["eu-a-2"] == doctest::Approx(53.3).epsilon(0.05));
  sicken(world, "eu-a", 4);
  world.update(*cluster, at(seconds(3)));
  CHECK(shares(*cluster) == std::map<std::string, double>{{"eu-b-1", 100}});
  sicken(world, "eu", 3);
  world.update(*cluster, at(seconds(4)));
  now = shares(*cluster);
  CHECK(now["us-a-1"] == doctest::Approx(50).epsilon(0.05));
  CHECK(now["ap-a-1"] == doctest::Approx(50).epsilon(0.05));
  sicken(world, "", 6);
  world.update(*cluster, at(seconds(5)));
  CHECK(shares(*cluster) == std::map<std::string, double>{{"nobody", 100}});
}

TEST_CASE("a place without endpoints is no tier that falls sick") {
  World world{places({{"eu", "b", "1"}, {"us", "a", "1"}})};
  world.here.locality = kHere;
  world.config.balancing.prefer_near = true;
  const auto cluster = world.cluster();
  CHECK(shares(*cluster) == std::map<std::string, double>{{"eu-b-1", 100}});
}

TEST_CASE("the region to fail over to comes before other regions") {
  World world{places(kAround)};
  world.here.locality = kHere;
  world.config.balancing.failover = {{"eu", "ap"}, {"us", "eu"}};
  sicken(world, "eu", 9);
  const auto cluster = world.cluster();
  CHECK(shares(*cluster) == std::map<std::string, double>{{"ap-a-1", 100}});
}

TEST_CASE("endpoints that are left out make farther ones step in, too") {
  World world{places({{"eu", "a", "1"}, {"us", "a", "1"}})};
  world.here.locality = kHere;
  world.config.balancing.prefer_near = true;
  world.config.outlier.emplace();
  world.config.outlier->consecutive_5xx = 1;
  world.config.outlier->ejected_percent_max = 100;
  const auto cluster = world.cluster();
  for (const char* name : {"eu-a-1-0", "eu-a-1-1", "eu-a-1-2"})
    report(*cluster, name, at({}), Outcome::answered, 503);
  CHECK(shares(*cluster) == std::map<std::string, double>{{"us-a-1", 100}});
  CHECK(shares(*cluster, at(seconds(30))) == std::map<std::string, double>{{"eu-a-1", 100}});
}

TEST_CASE("when all tiers together are too weak each takes what it can, and panic brings all in") {
  World world{places({{"eu", "a", "1"}, {"us", "a", "1"}})};
  world.here.locality = kHere;
  world.config.balancing.prefer_near = true;
  sicken(world, "eu", 2);
  sicken(world, "us", 3);
  const auto cluster = world.cluster();
  CHECK(shares(*cluster) == std::map<std::string, double>{{"eu-a-1", 100}});
  world.config.balancing.panic_percent = 50;
  world.update(*cluster, at(seconds(1)));
  CHECK(tally(*cluster, 1000, at(seconds(1))).size() == 3);
  sicken(world, "eu", 1);
  world.update(*cluster, at(seconds(2)));
  // Nobody is healthy: all of the nearest tier are used, as if they were.
  CHECK(shares(*cluster, at(seconds(2))) == std::map<std::string, double>{{"eu-a-1", 100}});
}

TEST_CASE("while farther ones can carry the load the nearer do not panic") {
  World world{places({{"eu", "a", "1"}, {"us", "a", "1"}})};
  world.here.locality = kHere;
  world.config.balancing.prefer_near = true;
  world.config.balancing.panic_percent = 50;
  sicken(world, "eu", 2);
  const auto cluster = world.cluster();
  CHECK(tally(*cluster, 1000).size() == 4);
  CHECK(shares(*cluster)["eu-a-1"] == doctest::Approx(46.7).epsilon(0.05));
}

TEST_CASE("traffic is distributed over localities by the rule for this one") {
  World world{places(kAround)};
  world.here.locality = kHere;
  world.config.balancing.distribute = {{"us/*", {{"us/*", 100}}},
                                       {"eu/a/*", {{"eu/a/*", 70}, {"eu/b/*", 20}, {"us/*", 10}}},
                                       {"eu/*", {{"ap/*", 100}}}};
  const auto cluster = world.cluster();
  auto now = shares(*cluster);
  CHECK(now["eu-a-1"] + now["eu-a-2"] == doctest::Approx(70).epsilon(0.04));
  CHECK(now["eu-a-1"] == doctest::Approx(35).epsilon(0.06));
  CHECK(now["eu-b-1"] == doctest::Approx(20).epsilon(0.1));
  CHECK(now["us-a-1"] == doctest::Approx(10).epsilon(0.15));
  CHECK(now.count("ap-a-1") == 0);
  SUBCASE("what a locality cannot carry goes to the others") {
    sicken(world, "eu-a", 6);
    world.update(*cluster, at(seconds(1)));
    now = shares(*cluster, at(seconds(1)));
    CHECK(now["eu-b-1"] == doctest::Approx(66.7).epsilon(0.04));
    CHECK(now["us-a-1"] == doctest::Approx(33.3).epsilon(0.06));
  }
}

TEST_CASE("the narrowest destination takes an endpoint, and a share of nothing gets nothing") {
  World world{places({{"eu", "a", "1"}, {"eu", "a", "2"}, {"us", "a", "1"}})};
  world.config.balancing.distribute = {{"*", {{"*", 50}, {"eu/a/1", 50}, {"us", 0}}}};
  auto now = shares(*world.cluster());
  CHECK(now["eu-a-1"] == doctest::Approx(50).epsilon(0.05));
  CHECK(now["eu-a-2"] == doctest::Approx(50).epsilon(0.05));
  CHECK(now.count("us-a-1") == 0);
  // Not even what was tried everywhere else in vain.
  const auto cluster = world.cluster();
  std::vector<model::EndpointId> tried;
  for (const EndpointPtr& each : cluster->endpoints())
    if (each->workload->locality.region == "eu") tried.push_back(each->id);
  PickRequest request;
  request.now = at({});
  request.tried = tried;
  CHECK(cluster->pick(request)->endpoint().workload->locality.region == "eu");
  // Two parts are narrower than one, wherever they stand.
  world.config.balancing.distribute = {{"*", {{"*/a/1", 30}, {"eu/*", 70}}}};
  now = shares(*world.cluster());
  CHECK(now["eu-a-2"] == doctest::Approx(70).epsilon(0.04));
  // A rule of nothing but zeros is no rule.
  world.config.balancing.distribute = {{"*", {{"us", 0}}}};
  CHECK(shares(*world.cluster()).size() == 3);
}

TEST_CASE("what the service prefers counts where no rule says otherwise") {
  World world{places({{"eu", "a", "1"}, {"us", "a", "1"}})};
  world.here.locality = kHere;
  world.service.balancing.mode = model::BalancingMode::failover;
  world.service.balancing.scopes = {model::RoutingScope::region, model::RoutingScope::zone};
  CHECK(shares(*world.cluster()) == std::map<std::string, double>{{"eu-a-1", 100}});
  world.config.balancing.distribute = {{"*", {{"us", 100}}}};
  CHECK(shares(*world.cluster()) == std::map<std::string, double>{{"us-a-1", 100}});
}

TEST_CASE("what the service insists on always counts") {
  World world{pods(4)};
  world.here.node = "node2";
  world.members[2].node = "node2";
  world.service.balancing.mode = model::BalancingMode::strict;
  world.service.balancing.scopes = {model::RoutingScope::node};
  CHECK(tally(*world.cluster(), 100) == Tally{{"pod00002", 100}});
  world.here.node = "node3";
  CHECK(tally(*world.cluster(), 100) == Tally{{"nobody", 100}});
  world.config.balancing.panic_percent = 100;
  CHECK(tally(*world.cluster(), 100) == Tally{{"nobody", 100}});
}

TEST_CASE("a session's hash stays in its locality while that can carry it") {
  World world{places({{"eu", "a", "1"}, {"us", "a", "1"}})};
  world.config.balancing.kind = l7::BalancerKind::ring_hash;
  world.config.balancing.distribute = {{"*", {{"eu", 60}, {"us", 40}}}};
  const auto cluster = world.cluster();
  Dice dice;
  for (int i = 0; i < 100; ++i) {
    PickRequest request = dice.request();
    request.hash = dice.next();
    const std::string first = cluster->pick(request)->endpoint().workload->name;
    request.random = dice.next();
    CHECK(cluster->pick(request)->endpoint().workload->name == first);
  }
}

TEST_CASE("requests whose nearer endpoints were all tried go farther") {
  World world{places({{"eu", "a", "1"}, {"us", "a", "1"}})};
  world.here.locality = kHere;
  world.config.balancing.prefer_near = true;
  const auto cluster = world.cluster();
  std::vector<model::EndpointId> tried;
  for (const char* name : {"eu-a-1-0", "eu-a-1-1", "eu-a-1-2"})
    tried.push_back(endpoint_of(*cluster, name).id);
  Dice dice;
  PickRequest request = dice.request();
  request.tried = tried;
  CHECK(cluster->pick(request)->endpoint().workload->name.starts_with("us"));
}

TEST_CASE("localities fit patterns part by part") {
  const model::Locality zone{"eu", "a", "1"};
  for (const char* fit : {"*", "", "eu", "eu/*", "eu/a", "eu/a/*", "eu/a/1", "*/a", "eu/*/1"})
    CHECK(fits_locality(fit, zone));
  for (const char* unfit : {"us", "e", "eu/b", "eu/a/2", "us/*", "*/b", "eu/a/1x"})
    CHECK_FALSE(fits_locality(unfit, zone));
}

TEST_CASE("loads of tiers add up to one whenever somebody is healthy") {
  RandomSequence random(3);
  for (int round = 0; round < 2000; ++round) {
    std::vector<Census> tiers(1 + random.below(5));
    std::size_t healthy = 0;
    for (Census& each : tiers) {
      each.members = random.below(20);
      each.healthy = random.below(static_cast<std::uint32_t>(each.members) + 1);
      healthy += each.healthy;
    }
    double sum = 0;
    const auto loads = tier_loads(tiers);
    for (std::size_t i = 0; i < loads.size(); ++i) {
      CHECK(loads[i] >= 0);
      if (tiers[i].healthy == 0) CHECK(loads[i] <= 1e-9);
      sum += loads[i];
    }
    CHECK(sum == doctest::Approx(healthy > 0 ? 1 : 0));
  }
}

}  // namespace
}  // namespace aquifer::waypoint
