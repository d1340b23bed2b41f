// A cluster follows the mesh and keeps what it learned.
#include "waypoint/upstream/cluster.h"

#include "tests/unit/waypoint/upstream/fixtures.h"

#include <doctest/doctest.h>

#include <set>

namespace aquifer::waypoint {
namespace {

using namespace test;

std::vector<std::string> names(const Cluster& cluster) {
  std::vector<std::string> result;
  for (const EndpointPtr& each : cluster.endpoints()) result.push_back(each->workload->name);
  return result;
}

TEST_CASE("an endpoint has the pod's address, the port that the service maps to, and its weight") {
  World world;
  world.members[1].weight = 7;
  const auto cluster = world.cluster();
  REQUIRE(cluster->endpoints().size() == 3);
  const Endpoint& second = *cluster->endpoints()[1];
  CHECK(second.address.to_string() == "10.0.0.2:8080");
  CHECK(second.weight == 7);
  CHECK(second.id == model::endpoint_id(second.workload->uid, 8080));
  CHECK(second.ready);
}

TEST_CASE("a cluster without endpoints says not found, and blames upstream") {
  World world{{}};
  const auto cluster = world.cluster();
  Dice dice;
  const auto lease = cluster->pick(dice.request());
  REQUIRE_FALSE(lease.has_value());
  CHECK(lease.error().code == Errc::not_found);
  CHECK(lease.error().source == ErrorSource::upstream);
}

TEST_CASE("an endpoint that is not ready is known but gets nothing") {
  World world;
  world.members[0].health = model::Health::unhealthy;
  const auto cluster = world.cluster();
  CHECK(cluster->endpoints().size() == 3);
  CHECK(tally(*cluster, 100).count("pod00000") == 0);
  SUBCASE("unless the service publishes endpoints that are not ready") {
    world.service.balancing.health = model::HealthPolicy::allow_all;
    world.update(*cluster, at(seconds(1)));
    CHECK(tally(*cluster, 100).count("pod00000") == 1);
  }
  SUBCASE("and nobody ready is nobody there") {
    for (Pod& pod : world.members) pod.health = model::Health::unhealthy;
    world.update(*cluster, at(seconds(1)));
    CHECK(tally(*cluster, 10) == Tally{{"nobody", 10}});
  }
}

TEST_CASE("endpoints of another network, of another port and without an address are left out") {
  World world{pods(4)};
  world.members[0].network = "elsewhere";
  world.config.port = 81;
  CHECK(world.cluster()->endpoints().empty());
  world.config.port = 80;
  CHECK(names(*world.cluster()) == std::vector<std::string>{"pod00001", "pod00002", "pod00003"});
}

TEST_CASE("a service of IPv6 alone is not served at an IPv4 address") {
  World world{pods(1)};
  world.service.ip_families = model::IpFamilies::v6;
  world.members[0].address = "fd00::1";
  CHECK(world.cluster()->endpoints()[0]->address.to_string() == "[fd00::1]:8080");
}

TEST_CASE("a subset has only its members") {
  World world;
  world.config.subset = "v2";
  world.config.members = std::vector<std::string>{"Kubernetes//Pod/default/pod00001"};
  const auto cluster = world.cluster();
  CHECK(names(*cluster) == std::vector<std::string>{"pod00001"});
  world.config.members->push_back("Kubernetes//Pod/default/pod00002");
  world.update(*cluster, at(seconds(1)));
  CHECK(names(*cluster) == std::vector<std::string>{"pod00001", "pod00002"});
}

TEST_CASE("endpoints that stay are the same objects after others came and went") {
  World world;
  const auto cluster = world.cluster();
  Dice dice;
  auto lease = cluster->pick(dice.request());
  REQUIRE(lease.has_value());
  const EndpointPtr kept = lease->pointer();
  std::erase_if(world.members, [&](const Pod& pod) { return pod.name != kept->workload->name; });
  world.members.push_back({.name = "new", .address = "10.9.9.9"});
  // Their addresses follow from the place in the list: this one's stays.
  world.members[0].address = kept->address.ip.to_string();
  world.update(*cluster, at(seconds(1)));
  REQUIRE(cluster->endpoints().size() == 2);
  CHECK(endpoint_of(*cluster, kept->workload->name).active == 1);
  CHECK(&endpoint_of(*cluster, kept->workload->name) == kept.get());
  CHECK(endpoint_of(*cluster, "new").active == 0);
}

TEST_CASE("a version of the mesh that changes nothing here changes nothing here") {
  World world;
  const auto cluster = world.cluster();
  const std::vector<EndpointPtr> before(cluster->endpoints().begin(), cluster->endpoints().end());
  world.update(*cluster, at(seconds(1)));
  CHECK(std::ranges::equal(cluster->endpoints(), before));
}

TEST_CASE("a pod that gets another address has a successor that takes over its requests") {
  World world{pods(1)};
  const auto cluster = world.cluster();
  Dice dice;
  auto first = cluster->pick(dice.request());
  REQUIRE(first.has_value());
  const model::Workload& seen = *first->endpoint().workload;
  world.members[0].address = "10.7.7.7";
  world.update(*cluster, at(seconds(1)));
  // Who had it still sees it as it was.
  CHECK(first->endpoint().address.to_string() == "10.0.0.1:8080");
  CHECK(seen.addresses[0] == model::test::ip("10.0.0.1"));
  const Endpoint& now = *cluster->endpoints()[0];
  CHECK(now.address.to_string() == "10.7.7.7:8080");
  CHECK(now.active == 1);
  auto second = cluster->pick(dice.request());
  CHECK(now.active == 2);
  *first = Lease();
  CHECK(now.active == 1);
  *second = Lease();
  CHECK(now.active == 0);
}

TEST_CASE("a pod that changed keeps its connections only if it is reached in the same way") {
  World world{pods(1)};
  const auto cluster = world.cluster();
  const auto connections = [&]() -> std::shared_ptr<EndpointConnections>& {
    return cluster->endpoints()[0]->connections;
  };
  // Nobody looks into it here.
  const auto anything = std::make_shared<int>(0);
  const std::shared_ptr<EndpointConnections> open(
      anything, reinterpret_cast<EndpointConnections*>(anything.get()));
  connections() = open;
  world.members[0].node = "node7";
  world.update(*cluster, at(seconds(1)));
  CHECK(cluster->endpoints()[0]->workload->node == "node7");
  CHECK(connections() == open);
  SUBCASE("another address") {
    world.members[0].address = "10.7.7.7";
  }
  SUBCASE("another identity") {
    world.members[0].account = "other";
  }
  world.update(*cluster, at(seconds(2)));
  CHECK(connections() == nullptr);
}

TEST_CASE("a lease counts as active while it lives, and only once") {
  World world{pods(1)};
  const auto cluster = world.cluster();
  Dice dice;
  const Endpoint& endpoint = *cluster->endpoints()[0];
  {
    auto lease = cluster->pick(dice.request());
    CHECK(endpoint.active == 1);
    Lease moved = std::move(*lease);
    CHECK(endpoint.active == 1);
    Lease assigned;
    assigned = std::move(moved);
    CHECK(endpoint.active == 1);
    assigned.done(at(seconds(1)), Outcome::answered, 200);
    CHECK(endpoint.active == 1);
  }
  CHECK(endpoint.active == 0);
}

TEST_CASE("a lease outlives its cluster") {
  Lease lease;
  {
    World world{pods(1)};
    auto cluster = world.cluster();
    Dice dice;
    lease = cluster->pick(dice.request()).value();
  }
  lease.done(at(seconds(1)), Outcome::answered, 500);
  CHECK(lease.endpoint().workload->name == "pod00000");
}

TEST_CASE("those that were tried are chosen only when nobody else is left") {
  for (const auto kind :
       {l7::BalancerKind::least_request, l7::BalancerKind::round_robin, l7::BalancerKind::random,
        l7::BalancerKind::ewma, l7::BalancerKind::ring_hash, l7::BalancerKind::maglev}) {
    CAPTURE(static_cast<int>(kind));
    World world{pods(4)};
    world.config.balancing.kind = kind;
    // So seldom that chance alone never picks it.
    world.members[3].weight = 1;
    for (std::size_t i = 0; i < 3; ++i) world.members[i].weight = 10'000;
    const auto cluster = world.cluster();
    Dice dice;
    std::vector<model::EndpointId> tried;
    for (std::size_t i = 0; i < 3; ++i) tried.push_back(cluster->endpoints()[i]->id);
    PickRequest request = dice.request();
    request.tried = tried;
    for (int i = 0; i < 20; ++i) {
      request.random = dice.next();
      request.hash = dice.next();
      auto lease = cluster->pick(request);
      REQUIRE(lease.has_value());
      CHECK(lease->endpoint().workload->name == "pod00003");
    }
    tried.push_back(cluster->endpoints()[3]->id);
    request.tried = tried;
    CHECK(cluster->pick(request).has_value());
  }
}

TEST_CASE("a session's endpoint is chosen while it is usable and was not tried") {
  World world{pods(5)};
  const auto cluster = world.cluster();
  const model::EndpointId wanted = endpoint_of(*cluster, "pod00003").id;
  Dice dice;
  PickRequest request = dice.request();
  request.preferred = wanted;
  for (int i = 0; i < 20; ++i) CHECK(cluster->pick(request)->endpoint().id == wanted);
  request.tried = std::span(&wanted, 1);
  CHECK(cluster->pick(request)->endpoint().id != wanted);
  request.tried = {};
  world.members[3].health = model::Health::unhealthy;
  world.update(*cluster, at(seconds(1)));
  CHECK(cluster->pick(request)->endpoint().id != wanted);
  CHECK(cluster->find_stable(endpoint_of(*cluster, "pod00002").stable_id) ==
        endpoint_of(*cluster, "pod00002").id);
  CHECK(cluster->find_stable(1) == 0);
}

TEST_CASE("another kind of balancing holds from the next request on") {
  World world{pods(3)};
  const auto cluster = world.cluster();
  world.config.balancing.kind = l7::BalancerKind::maglev;
  world.update(*cluster, at(seconds(1)));
  Dice dice;
  PickRequest request = dice.request();
  request.hash = 77;
  std::set<std::string> chosen;
  for (int i = 0; i < 50; ++i) {
    request.random = dice.next();
    chosen.insert(cluster->pick(request)->endpoint().workload->name);
  }
  CHECK(chosen.size() == 1);
}

}  // namespace
}  // namespace aquifer::waypoint
