// Which clusters a loop has, and when they follow.
#include "tests/unit/waypoint/upstream/fixtures.h"
#include "waypoint/upstream/cluster.h"
#include "waypoint/upstream/cluster_name.h"

#include <doctest/doctest.h>

namespace aquifer::waypoint {
namespace {

using namespace test;

model::SnapshotPtr with_clusters(const model::SnapshotPtr& mesh, std::vector<l7::Cluster> configs) {
  std::vector<l7::ClusterPtr> shared;
  for (l7::Cluster& each : configs)
    shared.push_back(std::make_shared<const l7::Cluster>(std::move(each)));
  model::Changes changes;
  changes.books = mesh->books();
  changes.books->routing =
      std::make_shared<const l7::RoutingBook>(std::vector<l7::ChainPtr>(), std::move(shared));
  return mesh->apply(changes);
}

TEST_CASE("a service that nobody configured has a cluster for each of its ports") {
  World world;
  Clusters clusters(world.circuits);
  const auto cluster = clusters.find(world.apply(), kKey, at({}));
  REQUIRE(cluster != nullptr);
  CHECK(cluster->config().key == kKey);
  CHECK(cluster->endpoints().size() == 3);
  CHECK(clusters.find(world.mesh, kKey, at({})) == cluster);
  CHECK(clusters.find(world.mesh, "default/server.default.svc.cluster.local:81", at({})) ==
        nullptr);
  CHECK(clusters.find(world.mesh, "default/other.default.svc.cluster.local:80", at({})) == nullptr);
  CHECK(clusters.find(world.mesh, std::string(kKey) + "/v2", at({})) == nullptr);
  CHECK(clusters.find(world.mesh, "nonsense", at({})) == nullptr);
}

TEST_CASE("what was configured wins over what follows from the service") {
  World world;
  world.config.limits.requests_max = 5;
  Clusters clusters(world.circuits);
  const auto mesh = with_clusters(world.apply(), {world.config});
  CHECK(clusters.find(mesh, kKey, at({}))->config().limits.requests_max == 5);
  // And the other way, once nobody configures it any more.
  const auto later = with_clusters(mesh, {});
  CHECK(clusters.find(later, kKey, at({}))->config().limits.requests_max ==
        l7::PoolLimits::kUnlimited);
}

TEST_CASE("a cluster follows the newest version, and an older one does not take it back") {
  World world;
  Clusters clusters(world.circuits);
  const auto old = world.apply();
  const auto cluster = clusters.find(old, kKey, at({}));
  world.members.push_back({.name = "zzz"});
  const auto now = world.apply();
  CHECK(clusters.find(now, kKey, at({}))->endpoints().size() == 4);
  CHECK(clusters.find(old, kKey, at({}))->endpoints().size() == 4);
  CHECK(clusters.find(now, kKey, at({})) == cluster);
}

TEST_CASE("a version that changes nothing here leaves the very configuration in place") {
  World world;
  Clusters clusters(world.circuits);
  const auto cluster = clusters.find(world.apply(), kKey, at({}));
  const l7::ClusterPtr before = cluster->config_pointer();
  REQUIRE(clusters.find(world.apply(), kKey, at({})) == cluster);
  CHECK(cluster->config_pointer() == before);
}

TEST_CASE("a waypoint that learns where it is balances from there") {
  World world({{.name = "near", .locality = {"eu", "a", ""}},
               {.name = "far", .locality = {"us", "b", ""}}});
  world.service.balancing.scopes = {model::RoutingScope::region};
  world.service.balancing.mode = model::BalancingMode::failover;
  Clusters clusters(world.circuits);
  const auto everywhere = clusters.find(world.apply(), kKey, at({}));
  CHECK(tally(*everywhere, 100).size() == 2);
  clusters.stand_at({.network = {}, .locality = {"eu", "a", ""}, .node = "node9"});
  const auto nearby = clusters.find(world.mesh, kKey, at({}));
  CHECK(nearby == everywhere);
  CHECK(tally(*nearby, 100).size() == 1);
  // The same place again changes nothing.
  clusters.stand_at({.network = {}, .locality = {"eu", "a", ""}, .node = "node9"});
  CHECK(clusters.find(world.mesh, kKey, at({})) == nearby);
}

TEST_CASE("clusters that are gone are dropped once nobody uses them") {
  World world;
  Clusters clusters(world.circuits);
  const auto count = [&] {
    int found = 0;
    clusters.for_each([&](const Cluster&) { ++found; });
    return found;
  };
  auto cluster = clusters.find(world.apply(), kKey, at({}));
  clusters.sweep(*world.mesh);
  CHECK(count() == 1);
  const auto empty = std::make_shared<const model::Snapshot>();
  clusters.sweep(*empty);
  CHECK(count() == 1);
  cluster.reset();
  clusters.sweep(*empty);
  CHECK(count() == 0);
}

TEST_CASE("two loops share a cluster's counters") {
  World world;
  Clusters one(world.circuits);
  Clusters other(world.circuits);
  world.apply();
  CHECK(one.find(world.mesh, kKey, at({}))->circuit() ==
        other.find(world.mesh, kKey, at({}))->circuit());
}

TEST_CASE("a key is taken apart, and anything else is no key") {
  const auto name = parse_cluster_key("shop/web.shop.svc.cluster.local:80/v2");
  REQUIRE(name);
  CHECK(name->service_ns == "shop");
  CHECK(name->hostname == "web.shop.svc.cluster.local");
  CHECK(name->port == 80);
  CHECK(name->subset == "v2");
  CHECK(parse_cluster_key("shop/web:65535")->subset.empty());
  for (const std::string_view bad :
       {"", "/", "shop", "shop/web", "shop/web:", "shop/web:x", "shop/web:0", "shop/web:65536",
        "shop/web:80x", "shop/web:80/", "shop/web:-1", "web:80"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_cluster_key(bad));
  }
}

}  // namespace
}  // namespace aquifer::waypoint
