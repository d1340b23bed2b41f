// Where a client means a workload and no service.
#include "waypoint/upstream/workload_cluster.h"

#include "tests/unit/waypoint/upstream/fixtures.h"

#include <doctest/doctest.h>

namespace aquifer::waypoint {
namespace {

using namespace test;

constexpr std::string_view kUid = "Kubernetes//Pod/default/pod00001";

TEST_CASE("the cluster of a workload's own port has that workload alone") {
  World world;
  Clusters clusters(world.circuits);
  const std::string key = workload_cluster_key(kUid, 9090);
  const auto cluster = clusters.find(world.apply(), key, at({}));
  REQUIRE(cluster != nullptr);
  REQUIRE(cluster->endpoints().size() == 1);
  CHECK(cluster->endpoints()[0]->address.to_string() == "10.0.0.2:9090");
  CHECK(tally(*cluster, 10) == Tally{{"pod00001", 10}});
}

TEST_CASE("it follows the workload, and is gone with it") {
  World world;
  Clusters clusters(world.circuits);
  const std::string key = workload_cluster_key(kUid, 9090);
  const auto cluster = clusters.find(world.apply(), key, at({}));
  const EndpointPtr before = cluster->endpoints()[0];
  CHECK(clusters.find(world.apply(), key, at({}))->endpoints()[0] == before);
  world.members[1].address = "10.6.6.6";
  CHECK(clusters.find(world.apply(), key, at({}))->endpoints()[0]->address.to_string() ==
        "10.6.6.6:9090");
  model::Changes changes;
  changes.removed_workloads = {std::string(kUid)};
  const auto gone = world.mesh->apply(changes);
  CHECK(clusters.find(gone, key, at({})) == nullptr);
}

TEST_CASE("a uid may have colons, and other keys are other clusters") {
  const auto cluster = workload_cluster(workload_cluster_key("a/b/fd00::1", 80));
  REQUIRE(cluster != nullptr);
  CHECK(cluster->members->front() == "a/b/fd00::1");
  CHECK(cluster->port == 80);
  CHECK(is_workload_cluster(*cluster));
  for (const std::string_view bad :
       {"", "workload:", "workload:80", "workload:x:", "workload:x:y", "workload:x:65536",
        "workload:x:0", "workload:x:80/v2", "shop/web:80"}) {
    CAPTURE(bad);
    CHECK(workload_cluster(bad) == nullptr);
  }
}

}  // namespace
}  // namespace aquifer::waypoint
