// Finding records, and that a new version costs only what it changes.
#include "config/model/snapshot.h"

#include "tests/unit/config/model/fixtures.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <string>

namespace aquifer::model {
namespace {

using namespace test;

TEST_CASE("an empty snapshot finds nothing and has Istio's defaults") {
  const Snapshot empty;
  CHECK(empty.workload_by_uid("x") == nullptr);
  CHECK(empty.workload_by_ip("", ip("10.0.0.1")) == nullptr);
  CHECK(empty.service_by_vip("", ip("10.0.0.1"), "default") == nullptr);
  CHECK(empty.workloads_on("node1").empty());
  CHECK(empty.mesh_config().trust_domain == "cluster.local");
  CHECK(empty.mesh_config().root_namespace == "istio-system");
}

TEST_CASE("a workload is found by uid, by each address, by name and by node") {
  Workload workload = pod("a", "10.0.0.1");
  workload.addresses.push_back(ip("fd00::1"));
  const auto shared = share(workload);
  const auto mesh = snapshot({shared});
  CHECK(mesh->workload_by_uid("Kubernetes//Pod/default/a") == shared);
  CHECK(mesh->workload_by_ip("", ip("10.0.0.1")) == shared);
  CHECK(mesh->workload_by_ip("", ip("fd00::1")) == shared);
  CHECK(mesh->workload_by_ip("", ip("10.0.0.2")) == nullptr);
  CHECK(mesh->workload_by_ip("other-network", ip("10.0.0.1")) == nullptr);
  CHECK(mesh->workload_by_name("default", "a") == shared);
  CHECK(mesh->workload_by_name("a", "default") == nullptr);
  REQUIRE(mesh->workloads_on("node1").size() == 1);
  CHECK(mesh->workloads_on("node2").empty());
}

TEST_CASE("pods of the host's network are not found by its address") {
  Workload workload = pod("a", "10.0.0.1");
  workload.network_mode = NetworkMode::host_network;
  const auto mesh = snapshot({share(workload)});
  CHECK(mesh->workload_by_ip("", ip("10.0.0.1")) == nullptr);
  CHECK(mesh->workload_by_uid(workload.uid) != nullptr);
}

TEST_CASE("of two workloads with one address the pod wins, then the one that speaks HBONE") {
  Workload slice = pod("slice", "10.0.0.1");
  slice.uid = "Kubernetes/discovery.k8s.io/EndpointSlice/default/slice/10.0.0.1";
  Workload plain = pod("plain", "10.0.0.1");
  plain.protocol = TunnelProtocol::tcp;
  const Workload hbone = pod("hbone", "10.0.0.1");
  SUBCASE("in one order") {
    const auto mesh = snapshot({share(slice), share(plain), share(hbone)});
    CHECK(mesh->workload_by_ip("", ip("10.0.0.1"))->name == "hbone");
  }
  SUBCASE("in the other") {
    const auto mesh = snapshot({share(hbone), share(plain), share(slice)});
    CHECK(mesh->workload_by_ip("", ip("10.0.0.1"))->name == "hbone");
  }
  SUBCASE("a plain pod before an HBONE address that is no pod") {
    const auto mesh = snapshot({share(slice), share(plain)});
    CHECK(mesh->workload_by_ip("", ip("10.0.0.1"))->name == "plain");
  }
  SUBCASE("the other takes over when the preferred one goes") {
    Changes changes;
    changes.removed_workloads = {hbone.uid};
    const auto mesh = snapshot({share(hbone), share(plain)})->apply(changes);
    CHECK(mesh->workload_by_ip("", ip("10.0.0.1"))->name == "plain");
  }
}

TEST_CASE("a changed workload is found under its new keys and no longer under its old ones") {
  const auto before = snapshot({share(pod("a", "10.0.0.1"))});
  Workload moved = pod("a", "10.0.0.2");
  moved.node = "node2";
  Changes changes;
  changes.upserted_workloads = {share(moved)};
  const auto after = before->apply(changes);
  CHECK(after->workload_count() == 1);
  CHECK(after->workload_by_ip("", ip("10.0.0.1")) == nullptr);
  CHECK(after->workload_by_ip("", ip("10.0.0.2")) != nullptr);
  CHECK(after->workloads_on("node1").empty());
  CHECK(after->workloads_on("node2").size() == 1);
  // The version before is as it was.
  CHECK(before->workload_by_ip("", ip("10.0.0.1")) != nullptr);
  CHECK(before->workloads_on("node1").size() == 1);
}

TEST_CASE("removing what is not there changes nothing") {
  Changes changes;
  changes.removed_workloads = {"nobody"};
  changes.removed_services = {"default/nothing", "no-slash"};
  const auto after = snapshot({share(pod("a", "10.0.0.1"))})->apply(changes);
  CHECK(after->workload_count() == 1);
}

TEST_CASE("services are found by address, by host, and by name with the client's namespace first") {
  const auto own = service("10.96.0.1", {});
  Service copy = *own.service;
  copy.ns = "other";
  const ServiceRecord foreign{std::make_shared<const Service>(copy), own.endpoints};
  const auto mesh = snapshot({}, {foreign, own});
  CHECK(mesh->service_count() == 2);
  CHECK(mesh->service_by_vip("", ip("10.96.0.1"), "default")->service == own.service);
  CHECK(mesh->service_by_vip("", ip("10.96.0.1"), "other")->service == foreign.service);
  CHECK(mesh->service_by_vip("net", ip("10.96.0.1"), "default") == nullptr);
  CHECK(mesh->service_by_host("other", copy.hostname)->service == foreign.service);
  CHECK(mesh->service_by_hostname(copy.hostname, "default")->service == own.service);
  CHECK(mesh->service_by_hostname(copy.hostname, "third") != nullptr);
  Changes changes;
  changes.removed_services = {service_key("default", copy.hostname)};
  const auto after = mesh->apply(changes);
  CHECK(after->service_by_vip("", ip("10.96.0.1"), "default")->service == foreign.service);
}

TEST_CASE("100,000 workloads are all found, and one change shares nearly every shard") {
  constexpr int kCount = 100'000;
  std::vector<WorkloadPtr> workloads;
  workloads.reserve(kCount);
  for (int i = 0; i < kCount; ++i) {
    Workload workload =
        pod(fmt::format("p{}", i), fmt::format("10.{}.{}.{}", i >> 16, (i >> 8) & 255, i & 255));
    workload.node = fmt::format("node{}", i % 1000);
    workloads.push_back(share(std::move(workload)));
  }
  const auto before = snapshot(workloads);
  REQUIRE(before->workload_count() == kCount);
  int wrong = 0;
  for (const WorkloadPtr& workload : workloads) {
    const bool found = before->workload_by_uid(workload->uid) == workload &&
                       before->workload_by_ip("", workload->addresses.front()) == workload &&
                       before->workload_by_name("default", workload->name) == workload;
    wrong += found ? 0 : 1;
  }
  CHECK(wrong == 0);
  CHECK(before->workloads_on("node17").size() == 100);

  Workload changed = *workloads[4711];
  changed.health = Health::unhealthy;
  Changes changes;
  changes.upserted_workloads = {share(changed)};
  const auto after = before->apply(changes);
  CHECK(after->workload_shards_shared_with(*before) == ShardedIndex<Workload>::kShards - 1);
  CHECK(after->workload_by_uid(changed.uid)->health == Health::unhealthy);
  // Untouched records are the same objects, not copies.
  CHECK(after->workload_by_uid(workloads[1]->uid) == workloads[1]);
}

}  // namespace
}  // namespace aquifer::model
