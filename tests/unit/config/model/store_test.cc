// What a new full state changes, and for whom.
#include "config/model/store.h"

#include "tests/unit/config/model/fixtures.h"

#include <doctest/doctest.h>

namespace aquifer::model {
namespace {

using namespace test;

FullState two_pods() {
  FullState state;
  state.workloads = {share(pod("a", "10.0.0.1")), share(pod("b", "10.0.0.2"))};
  state.services = {service("10.96.0.1", state.workloads)};
  return state;
}

TEST_CASE("the same state again is no change and keeps the snapshot") {
  Store store;
  const auto first = store.replace(two_pods());
  CHECK(first.before != first.after);
  const auto again = store.replace(two_pods());
  CHECK(again.before == again.after);
  CHECK(store.current() == first.after);
}

TEST_CASE("only what differs is touched: other records stay the same objects") {
  Store store;
  store.replace(two_pods());
  FullState next = two_pods();
  Workload changed = *next.workloads[1];
  changed.health = Health::unhealthy;
  next.workloads[1] = share(changed);
  const Changes changes = changes_between(*store.current(), next);
  REQUIRE(changes.upserted_workloads.size() == 1);
  CHECK(changes.upserted_workloads[0]->name == "b");
  CHECK(changes.upserted_services.empty());
  CHECK_FALSE(changes.mesh_config.has_value());
  const auto update = store.apply(changes);
  CHECK(update.after->workload_by_name("default", "a") ==
        update.before->workload_by_name("default", "a"));
}

TEST_CASE("new endpoints leave the service's own record where connections hold it") {
  Store store;
  store.replace(two_pods());
  FullState next = two_pods();
  next.services = {service("10.96.0.1", {next.workloads[0]})};
  const auto update = store.replace(next);
  const auto& before = update.before->service_by_vip("", ip("10.96.0.1"), "default");
  const auto& after = update.after->service_by_vip("", ip("10.96.0.1"), "default");
  CHECK(before->service == after->service);
  CHECK(before->endpoints->endpoints.size() == 2);
  CHECK(after->endpoints->endpoints.size() == 1);
}

TEST_CASE("what the new state does not name is removed") {
  Store store;
  store.replace(two_pods());
  FullState next = two_pods();
  next.workloads.pop_back();
  next.services.clear();
  store.replace(next);
  CHECK(store.current()->workload_count() == 1);
  CHECK(store.current()->service_count() == 0);
}

TEST_CASE("a change of the MeshConfig alone is a change") {
  Store store;
  store.replace(two_pods());
  FullState next = two_pods();
  next.mesh_config.trust_domain = "td";
  store.replace(next);
  CHECK(store.current()->mesh_config().trust_domain == "td");
}

TEST_CASE("local changes name the pods of this node that came, went or changed, and no others") {
  Workload elsewhere = pod("elsewhere", "10.0.1.1");
  elsewhere.node = "node2";
  Workload enrolled = pod("enrolled", "10.0.0.3");
  enrolled.capture = Capture::no;
  const auto before = snapshot({share(pod("stays", "10.0.0.1")), share(pod("goes", "10.0.0.2")),
                                share(enrolled), share(elsewhere)});
  enrolled.capture = Capture::yes;
  Changes changes;
  changes.removed_workloads = {pod("goes", "10.0.0.2").uid, elsewhere.uid};
  changes.upserted_workloads = {share(pod("comes", "10.0.0.4")), share(enrolled)};
  const auto after = before->apply(changes);
  const LocalChanges local = local_changes(*before, *after, "node1");
  REQUIRE(local.added.size() == 1);
  CHECK(local.added[0]->name == "comes");
  REQUIRE(local.removed.size() == 1);
  CHECK(local.removed[0]->name == "goes");
  REQUIRE(local.changed.size() == 1);
  CHECK(local.changed[0].before->capture == Capture::no);
  CHECK(local.changed[0].after->capture == Capture::yes);
  CHECK(local_changes(*after, *after, "node1").empty());
}

TEST_CASE("a pod made again under its name, or moved to another node, is gone and come") {
  const auto before = snapshot({share(pod("again", "10.0.0.1")), share(pod("moves", "10.0.0.2"))});
  Workload again = pod("again", "10.0.0.1");
  again.pod_uid = "another";
  Workload moves = pod("moves", "10.0.0.2");
  moves.node = "node2";
  Changes changes;
  changes.upserted_workloads = {share(again), share(moves)};
  const auto after = before->apply(changes);
  const LocalChanges local = local_changes(*before, *after, "node1");
  CHECK(local.changed.empty());
  CHECK(local.removed.size() == 2);
  REQUIRE(local.added.size() == 1);
  CHECK(local.added[0]->name == "again");
  CHECK(local_changes(*before, *after, "node2").added.size() == 1);
}

}  // namespace
}  // namespace aquifer::model
