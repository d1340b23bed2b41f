// Which endpoint gets a connection: health, ports, weights, places, and what failed before.
#include "config/model/endpoint_choice.h"

#include "config/model/resolve.h"
#include "config/model/resolve_trace.h"
#include "tests/unit/config/model/fixtures.h"

#include <doctest/doctest.h>

#include <map>

namespace aquifer::model {
namespace {

using namespace test;

constexpr int kConnections = 2000;
const WorkloadPtr kClient = [] {
  Workload client = pod("client", "10.0.9.9");
  client.locality = {"r1", "z1", "s1"};
  return share(client);
}();

// A mesh of one service with three endpoints a, b, c; tests change what they are about.
struct World {
  std::map<std::string, Workload> workloads;
  Service service;
  EndpointSet set;

  World() {
    std::vector<WorkloadPtr> shared;
    for (const auto& [name, address] : std::vector<std::pair<std::string, std::string>>{
             {"a", "10.0.0.1"}, {"b", "10.0.0.2"}, {"c", "10.0.0.3"}}) {
      Workload workload = pod(name, address);
      workload.locality = {"r1", "z1", "s1"};
      shared.push_back(share(workload));
      workloads[name] = workload;
    }
    const ServiceRecord record = test::service("10.96.0.1", shared);
    service = *record.service;
    set = *record.endpoints;
  }
  Endpoint& endpoint(std::size_t index) { return set.endpoints[index]; }
  [[nodiscard]] SnapshotPtr mesh() const {
    std::vector<WorkloadPtr> shared;
    for (const auto& [name, workload] : workloads) shared.push_back(share(workload));
    return snapshot(shared, {{std::make_shared<const Service>(service),
                              std::make_shared<const EndpointSet>(set)}});
  }
  [[nodiscard]] EndpointId id(const std::string& name) const {
    return endpoint_id(workloads.at(name).uid, 8080);
  }
};

using Tally = std::map<std::string, int>;

Tally tally(const World& world, std::vector<EndpointId> tried = {},
            const AvoidedEndpoints* avoided = nullptr, MonoTime now = {}) {
  const auto mesh = world.mesh();
  Tally counts;
  for (std::uint64_t i = 0; i < kConnections; ++i) {
    ResolveRequest request{kClient, dst("10.96.0.1:80"), i * 0x9e3779b97f4a7c15ULL};
    request.tried = tried;
    request.avoided = avoided;
    request.now = now;
    const auto target = resolve(*mesh, request);
    ++counts[target ? target->workload->name : "none"];
  }
  return counts;
}

TEST_CASE("test_load_balance: each healthy endpoint has its share, an unhealthy one none") {
  World world;
  world.endpoint(2).health = Health::unhealthy;
  const Tally counts = tally(world);
  CHECK(counts.at("a") > kConnections / 2 - 150);
  CHECK(counts.at("b") > kConnections / 2 - 150);
  CHECK_FALSE(counts.contains("c"));
}

TEST_CASE("a service that publishes what is not ready uses it") {
  World world;
  for (std::size_t i = 0; i < 3; ++i) world.endpoint(i).health = Health::unhealthy;
  CHECK(tally(world) == Tally{{"none", kConnections}});
  world.service.balancing.health = HealthPolicy::allow_all;
  CHECK(tally(world).size() == 3);
}

TEST_CASE("find_upstream_port_mappings: the endpoint's own mapping counts, without one it is out") {
  World world;
  world.endpoint(0).ports = {{80, 9090}};
  world.endpoint(1).ports = {{81, 8081}};
  world.endpoint(2).ports = {};
  const auto target = resolve(*world.mesh(), {kClient, dst("10.96.0.1:80"), 1});
  REQUIRE(target.has_value());
  CHECK(target->authority.addr.to_string() == "10.0.0.1:9090");
  CHECK(tally(world) == Tally{{"a", kConnections}});
}

struct Placement {
  const char* about;
  BalancingMode mode;
  std::vector<RoutingScope> scopes;
  Locality a;
  Locality b;
  Locality c;
  Tally expected;
};

TEST_CASE("places: the nearest first, spilling over, or insisting") {
  const Locality same{"r1", "z1", "s1"};
  const Locality other_zone{"r1", "z2", "s9"};
  const Locality other_region{"r2", "z3", "s1"};
  const std::vector<RoutingScope> down_to_zone = {RoutingScope::network, RoutingScope::region,
                                                  RoutingScope::zone};
  const std::vector<Placement> rows = {
      {"same zone wins", BalancingMode::failover, down_to_zone, same, other_zone, other_region,
       Tally{{"a", kConnections}}},
      {"without the zone, the region", BalancingMode::failover, down_to_zone, other_zone,
       other_region, other_region, Tally{{"a", kConnections}}},
      {"a match after a mismatch does not count",
       BalancingMode::failover,
       {RoutingScope::region, RoutingScope::subzone},
       other_region,
       other_zone,
       other_region,
       Tally{{"b", kConnections}}},
      {"strict takes none where none matches all", BalancingMode::strict, down_to_zone, other_zone,
       other_region, other_region, Tally{{"none", kConnections}}},
      {"strict takes what matches all", BalancingMode::strict, down_to_zone, other_zone,
       other_region, same, Tally{{"c", kConnections}}}};
  for (const Placement& row : rows) {
    CAPTURE(row.about);
    World world;
    world.service.balancing = {row.mode, row.scopes, HealthPolicy::only_healthy};
    world.workloads["a"].locality = row.a;
    world.workloads["b"].locality = row.b;
    world.workloads["c"].locality = row.c;
    CHECK(tally(world) == row.expected);
  }
}

TEST_CASE("what this connection tried in vain is not chosen again, not even as the last") {
  const World world;
  CHECK(tally(world, {world.id("a"), world.id("b")}) == Tally{{"c", kConnections}});
  CHECK(tally(world, {world.id("a"), world.id("b"), world.id("c")}) ==
        Tally{{"none", kConnections}});
}

TEST_CASE("an endpoint that keeps failing is avoided, and all of them are used all the same") {
  const MonoTime now = MonoTime() + std::chrono::hours(1);
  const World world;
  AvoidedEndpoints avoided;
  for (int i = 0; i < 2; ++i) avoided.failed(world.id("a"), now);
  const Tally without_a = tally(world, {}, &avoided, now);
  CHECK_FALSE(without_a.contains("a"));
  CHECK(without_a.size() == 2);
  SUBCASE("after a while it is tried again") {
    CHECK(tally(world, {}, &avoided, now + AvoidedEndpoints::kFirstPause).size() == 3);
  }
  SUBCASE("every endpoint fails: every endpoint is used") {
    for (int i = 0; i < 2; ++i) {
      avoided.failed(world.id("b"), now);
      avoided.failed(world.id("c"), now);
    }
    CHECK(tally(world, {}, &avoided, now).size() == 3);
  }
  SUBCASE("an avoided endpoint is better than none that is left") {
    CHECK(tally(world, {world.id("b"), world.id("c")}, &avoided, now) ==
          Tally{{"a", kConnections}});
  }
}

TEST_CASE("an avoided near endpoint gives way to a far one, where far ones are allowed") {
  const MonoTime now = MonoTime() + std::chrono::hours(1);
  World world;
  world.workloads["b"].node = world.workloads["c"].node = "node2";
  world.service.balancing = {BalancingMode::failover, {RoutingScope::node}, {}};
  AvoidedEndpoints avoided;
  for (int i = 0; i < 2; ++i) avoided.failed(world.id("a"), now);
  CHECK_FALSE(tally(world, {}, &avoided, now).contains("a"));
  world.service.balancing.mode = BalancingMode::strict;
  CHECK(tally(world, {}, &avoided, now) == Tally{{"a", kConnections}});
}

TEST_CASE("service_ip_families: a service of one family is served by addresses of that family") {
  World world;
  for (auto& [name, workload] : world.workloads) workload.addresses.push_back(ip("fd00::1"));
  world.service.cidr_vips = {{"", Cidr::parse("fd01::/64").value()}};
  const auto authority = [&](std::string_view to) {
    const auto target = resolve(*world.mesh(), {kClient, dst(to), 1});
    return target ? target->authority.addr.to_string() : target.error().reason;
  };
  CHECK(authority("[fd01::1]:80") == "[fd00::1]:8080");
  world.service.ip_families = IpFamilies::v4;
  CHECK(authority("[fd01::1]:80").starts_with("10.0.0."));
  world.service.ip_families = IpFamilies::v6;
  CHECK(authority("10.96.0.1:80") == "[fd00::1]:8080");
}

TEST_CASE("a trace says of every endpoint why it may or may not be chosen, and which one was") {
  const MonoTime now = MonoTime() + std::chrono::hours(1);
  World world;
  for (const auto& [name, address] : std::vector<std::pair<std::string, std::string>>{
           {"d", "10.0.0.4"}, {"e", "10.0.0.5"}, {"f", "10.0.0.6"}, {"g", "10.0.0.7"}}) {
    Workload workload = pod(name, address);
    workload.locality = {"r1", "z1", "s1"};
    world.workloads[name] = workload;
    Endpoint endpoint = world.endpoint(0);
    endpoint.workload_uid = workload.uid;
    world.set.endpoints.push_back(endpoint);
  }
  world.service.balancing = {BalancingMode::failover, {RoutingScope::node}, {}};
  world.endpoint(0).health = Health::unhealthy;
  world.endpoint(1).ports = {{81, 81}};
  world.workloads["c"].network = "elsewhere";
  world.workloads["d"].node = "node2";
  world.workloads.erase("f");
  AvoidedEndpoints avoided;
  for (int i = 0; i < 2; ++i) avoided.failed(world.id("g"), now);
  ResolveRequest request{kClient, dst("10.96.0.1:80"), 1};
  request.avoided = &avoided;
  request.now = now;
  const auto mesh = world.mesh();
  const auto trace = trace_resolve(*mesh, request);
  REQUIRE(trace.endpoints.size() == 7);
  std::vector<EndpointVerdict> verdicts;
  for (const EndpointTrace& endpoint : trace.endpoints) verdicts.push_back(endpoint.verdict);
  CHECK(verdicts == std::vector{EndpointVerdict::unhealthy, EndpointVerdict::no_port,
                                EndpointVerdict::other_network, EndpointVerdict::outranked,
                                EndpointVerdict::eligible, EndpointVerdict::unknown_workload,
                                EndpointVerdict::avoided});
  REQUIRE(trace.result.has_value());
  CHECK(trace.result->workload->name == "e");
  CHECK(trace.result->endpoint == trace.endpoints[4].id);
  CHECK(trace.balanced->name == "server");
}

}  // namespace
}  // namespace aquifer::model
