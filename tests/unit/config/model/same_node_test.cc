#include "config/model/same_node.h"

#include "config/model/resolve.h"
#include "tests/unit/config/model/fixtures.h"

#include <doctest/doctest.h>

using namespace aquifer;
using namespace aquifer::model;
using namespace aquifer::model::test;

namespace {

/// The target of a pod's own address, as resolve() would give it.
ResolvedTarget tunnel_to(const Workload& there) {
  ResolvedTarget target;
  target.path = Path::hbone;
  target.workload = std::make_shared<const Workload>(there);
  target.addressed = target.workload;
  target.expected_identities = {there.identity};
  return target;
}

}  // namespace

TEST_CASE("two captured pods of one node may stay on it") {
  CHECK(may_stay_on_node(pod("a", "10.0.0.1"), tunnel_to(pod("b", "10.0.0.2"))));
}

TEST_CASE("a pod of another node, or of nobody knows which, is reached by the wire") {
  const Workload source = pod("a", "10.0.0.1");
  Workload there = pod("b", "10.0.0.2");
  there.node = "node2";
  CHECK_FALSE(may_stay_on_node(source, tunnel_to(there)));
  Workload adrift = pod("c", "10.0.0.3");
  adrift.node.clear();
  Workload also_adrift = source;
  also_adrift.node.clear();
  CHECK_FALSE(may_stay_on_node(also_adrift, tunnel_to(adrift)));
}

TEST_CASE("only a pod whose proxy stands on the node is handed a connection") {
  const Workload source = pod("a", "10.0.0.1");
  Workload there = pod("b", "10.0.0.2");
  there.capture = Capture::no;
  CHECK_FALSE(may_stay_on_node(source, tunnel_to(there)));
  there = pod("b", "10.0.0.2");
  there.network = "elsewhere";
  CHECK_FALSE(may_stay_on_node(source, tunnel_to(there)));
  there = pod("b", "10.0.0.2");
  there.network_mode = NetworkMode::host_network;
  CHECK_FALSE(may_stay_on_node(source, tunnel_to(there)));
}

TEST_CASE(
    "what goes through a waypoint, in plain TCP, or to a name still to be resolved does not stay") {
  const Workload source = pod("a", "10.0.0.1");
  ResolvedTarget target = tunnel_to(pod("b", "10.0.0.2"));
  target.via = Via::service_waypoint;
  CHECK_FALSE(may_stay_on_node(source, target));
  target = tunnel_to(pod("b", "10.0.0.2"));
  target.path = Path::plain;
  CHECK_FALSE(may_stay_on_node(source, target));
  target = tunnel_to(pod("b", "10.0.0.2"));
  target.unresolved_host = "example.com";
  CHECK_FALSE(may_stay_on_node(source, target));
  target = tunnel_to(pod("b", "10.0.0.2"));
  target.workload = nullptr;
  CHECK_FALSE(may_stay_on_node(source, target));
}

TEST_CASE("the pod must have an identity that may answer, as at the end of a tunnel") {
  const Workload source = pod("a", "10.0.0.1");
  ResolvedTarget target = tunnel_to(pod("b", "10.0.0.2"));
  target.expected_identities = {source.identity};
  CHECK_FALSE(may_stay_on_node(source, target));
  target.expected_identities.push_back(target.workload->identity);
  CHECK(may_stay_on_node(source, target));
}
