// Where outbound connections go.
#include "config/model/resolve.h"

#include "tests/unit/config/model/fixtures.h"

#include <doctest/doctest.h>

#include <map>

namespace aquifer::model {
namespace {

using namespace test;

const WorkloadPtr kClient = share(pod("client", "10.0.0.9"));

Resolution ask(const SnapshotPtr& mesh, std::string_view to, std::uint64_t random = 1) {
  return resolve(*mesh, {kClient, dst(to), random});
}

SnapshotPtr with_endpoints(EndpointSet set, std::vector<WorkloadPtr> workloads) {
  ServiceRecord record = service("10.96.0.1", {});
  record.endpoints = std::make_shared<const EndpointSet>(std::move(set));
  return snapshot(std::move(workloads), {record});
}

TEST_CASE("a service address leads to an endpoint's tunnel, with the port translated") {
  const auto server = share(pod("server", "10.0.0.1"));
  const auto target = ask(snapshot({server}, {service("10.96.0.1", {server})}), "10.96.0.1:80");
  REQUIRE(target.has_value());
  CHECK(target->path == Path::hbone);
  CHECK(target->tunnel.addr.to_string() == "10.0.0.1:15008");
  CHECK(target->authority.addr.to_string() == "10.0.0.1:8080");
  CHECK(target->upstream.addr.to_string() == "10.0.0.1:8080");
  CHECK(target->expected_identities == std::vector<SpiffeId>{server->identity});
  CHECK(target->security == SecurityPolicy::mutual_tls);
  CHECK(target->workload == server);
  CHECK(target->service->hostname == "server.default.svc.cluster.local");
}

TEST_CASE("the tunnel's port is the workload's own") {
  Workload server = pod("server", "10.0.0.1");
  server.tunnel_port = 8080;
  const auto target = ask(snapshot({share(server)}), "10.0.0.1:80");
  REQUIRE(target.has_value());
  CHECK(target->tunnel.addr.to_string() == "10.0.0.1:8080");
}

TEST_CASE("a service's subject alternative names are accepted beside the endpoint's identity") {
  const auto server = share(pod("server", "10.0.0.1"));
  ServiceRecord record = service("10.96.0.1", {server});
  Service copy = *record.service;
  copy.subject_alt_names = {SpiffeId::parse("spiffe://other/ns/a/sa/b").value()};
  record.service = std::make_shared<const Service>(copy);
  const auto target = ask(snapshot({server}, {record}), "10.96.0.1:80");
  REQUIRE(target.has_value());
  CHECK(target->expected_identities.size() == 2);
}

TEST_CASE(
    "a workload's address leads to its tunnel, the port unchanged, whether it is healthy or not") {
  Workload server = pod("server", "10.0.0.1");
  server.health = Health::unhealthy;
  const auto target = ask(snapshot({share(server)}), "10.0.0.1:1234");
  REQUIRE(target.has_value());
  CHECK(target->path == Path::hbone);
  CHECK(target->authority.addr.to_string() == "10.0.0.1:1234");
  CHECK(target->service == nullptr);
}

TEST_CASE("a workload outside the mesh is reached by plain TCP, with nobody to authenticate") {
  Workload server = pod("server", "10.0.0.1");
  server.protocol = TunnelProtocol::tcp;
  const auto target = ask(snapshot({share(server)}), "10.0.0.1:80");
  REQUIRE(target.has_value());
  CHECK(target->path == Path::plain);
  CHECK(target->upstream.addr.to_string() == "10.0.0.1:80");
  CHECK(target->expected_identities.empty());
  CHECK(target->security == SecurityPolicy::unknown);
  CHECK(target->workload != nullptr);
}

TEST_CASE("an unknown destination passes through untouched") {
  const auto target = ask(snapshot({}), "93.184.216.34:443");
  REQUIRE(target.has_value());
  CHECK(target->path == Path::passthrough);
  CHECK(target->upstream.addr.to_string() == "93.184.216.34:443");
  CHECK(target->workload == nullptr);
}

TEST_CASE("an HBONE workload without an identity is refused: anybody could answer for it") {
  Workload server = pod("server", "10.0.0.1");
  server.identity = SpiffeId();
  const auto target = ask(snapshot({share(server)}), "10.0.0.1:80");
  REQUIRE_FALSE(target.has_value());
  CHECK(target.error().error.code == Errc::identity);
}

TEST_CASE("a pod of the host's network is passed through by address, and served by a service") {
  Workload server = pod("server", "10.0.0.1");
  server.network_mode = NetworkMode::host_network;
  server.protocol = TunnelProtocol::tcp;
  const auto shared = share(server);
  const auto mesh = snapshot({shared}, {service("10.96.0.1", {shared})});
  CHECK(ask(mesh, "10.0.0.1:8080")->path == Path::passthrough);
  const auto target = ask(mesh, "10.96.0.1:80");
  REQUIRE(target.has_value());
  CHECK(target->path == Path::plain);
  CHECK(target->upstream.addr.to_string() == "10.0.0.1:8080");
}

TEST_CASE(
    "no endpoint, no healthy endpoint, no such port: no healthy upstream, never passed through") {
  const auto server = share(pod("server", "10.0.0.1"));
  EndpointSet unhealthy;
  unhealthy.endpoints = {{.workload_uid = server->uid,
                          .health = Health::unhealthy,
                          .weight = 1,
                          .ports = {{80, 8080}}}};
  EndpointSet unknown_workload;
  unknown_workload.endpoints = {
      {.workload_uid = "gone", .health = Health::healthy, .weight = 1, .ports = {{80, 8080}}}};
  for (const auto& [mesh, to] : std::vector<std::pair<SnapshotPtr, std::string>>{
           {with_endpoints({}, {server}), "10.96.0.1:80"},
           {with_endpoints(unhealthy, {server}), "10.96.0.1:80"},
           {with_endpoints(unknown_workload, {server}), "10.96.0.1:80"},
           {snapshot({server}, {service("10.96.0.1", {server})}), "10.96.0.1:81"}}) {
    CAPTURE(to);
    const auto target = ask(mesh, to);
    REQUIRE_FALSE(target.has_value());
    CHECK(target.error().error.code == Errc::not_found);
    CHECK(target.error().reason == "no healthy upstream: " + to);
  }
}

TEST_CASE("an endpoint on another network is not reached without its gateway") {
  Workload far = pod("far", "10.0.0.1");
  far.network = "elsewhere";
  const auto shared = share(far);
  CHECK_FALSE(
      ask(snapshot({shared}, {service("10.96.0.1", {shared})}), "10.96.0.1:80").has_value());
}

TEST_CASE("our own ports on loopback are refused, there and nowhere else") {
  const auto mesh = snapshot({});
  for (const char* to : {"127.0.0.1:15001", "127.0.0.2:15006", "[::1]:15008"}) {
    CAPTURE(to);
    const auto target = ask(mesh, to);
    REQUIRE_FALSE(target.has_value());
    CHECK(target.error().error.code == Errc::recursion);
    CHECK(target.error().reason == "attempted recursive call to ourselves");
  }
  CHECK(ask(mesh, "127.0.0.1:15000").has_value());
  CHECK(ask(mesh, "10.0.0.1:15008").has_value());
}

TEST_CASE("a destination with a waypoint is refused, not reached around it") {
  Workload behind = pod("server", "10.0.0.1");
  behind.waypoint = WaypointRef{.name = "default/waypoint",
                                .address = {},
                                .ns = "",
                                .hostname = "",
                                .port = 15008,
                                .weight = 1};
  const auto server = share(behind);
  ServiceRecord record = service("10.96.0.1", {server});
  SUBCASE("addressed as a workload") {
    const auto target = ask(snapshot({server}), "10.0.0.1:80");
    REQUIRE_FALSE(target.has_value());
    CHECK(target.error().error.code == Errc::not_found);
    CHECK(target.error().reason == "unknown waypoint: default/waypoint does not exist");
  }
  SUBCASE("a workload's waypoint does not count for traffic addressed to a service") {
    CHECK(ask(snapshot({server}, {record}), "10.96.0.1:80").has_value());
  }
  SUBCASE("addressed as a service") {
    Service copy = *record.service;
    copy.waypoints = {*server->waypoint};
    record.service = std::make_shared<const Service>(copy);
    CHECK_FALSE(ask(snapshot({server}, {record}), "10.96.0.1:80").has_value());
  }
}

TEST_CASE("the endpoint's address is of the family that the client asked for, if it has one") {
  Workload dual = pod("server", "10.0.0.1");
  dual.addresses.push_back(ip("fd00::1"));
  const auto server = share(dual);
  ServiceRecord record = service("10.96.0.1", {server});
  Service copy = *record.service;
  copy.vips.push_back({"", ip("fd00:96::1")});
  record.service = std::make_shared<const Service>(copy);
  const auto mesh = snapshot({server}, {record});
  CHECK(ask(mesh, "10.96.0.1:80")->authority.addr.to_string() == "10.0.0.1:8080");
  CHECK(ask(mesh, "[fd00:96::1]:80")->authority.addr.to_string() == "[fd00::1]:8080");
}

// How often each endpoint is chosen in 4,000 connections.
std::map<std::string, int> tally(const SnapshotPtr& mesh) {
  std::map<std::string, int> counts;
  for (std::uint64_t random = 0; random < 4000; ++random) {
    const auto target = ask(mesh, "10.96.0.1:80", random * 0x9e3779b97f4a7c15ULL);
    ++counts[target ? target->workload->name : "none"];
  }
  return counts;
}

TEST_CASE("connections spread over the healthy endpoints by weight") {
  const auto a = share(pod("a", "10.0.0.1"));
  const auto b = share(pod("b", "10.0.0.2"));
  const auto c = share(pod("c", "10.0.0.3"));
  EndpointSet set;
  set.endpoints = {
      {.workload_uid = a->uid, .health = Health::healthy, .weight = 1, .ports = {{80, 8080}}},
      {.workload_uid = b->uid, .health = Health::healthy, .weight = 3, .ports = {{80, 8080}}},
      {.workload_uid = c->uid, .health = Health::unhealthy, .weight = 3, .ports = {{80, 8080}}}};
  set.weight_max = 3;
  auto counts = tally(with_endpoints(set, {a, b, c}));
  // A quarter and three quarters; six standard deviations are 164.
  CHECK(counts["a"] > 836);
  CHECK(counts["a"] < 1164);
  CHECK(counts["a"] + counts["b"] == 4000);
}

TEST_CASE("one healthy endpoint among a hundred gets every connection") {
  std::vector<WorkloadPtr> workloads;
  EndpointSet set;
  for (int i = 0; i < 100; ++i) {
    workloads.push_back(share(pod("p" + std::to_string(100 + i), "10.0.1." + std::to_string(i))));
    set.endpoints.push_back({.workload_uid = workloads.back()->uid,
                             .health = i == 57 ? Health::healthy : Health::unhealthy,
                             .weight = 1,
                             .ports = {{80, 8080}}});
  }
  const auto counts = tally(with_endpoints(set, workloads));
  CHECK(counts == std::map<std::string, int>{{"p157", 4000}});
}

TEST_CASE(
    "routing preferences: failover takes the nearest that is healthy, strict only what matches") {
  Workload here = pod("here", "10.0.0.1");
  Workload there = pod("there", "10.0.0.2");
  here.node = kClient->node;
  there.node = "node2";
  ServiceRecord record = service("10.96.0.1", {});
  Service copy = *record.service;
  copy.balancing = {BalancingMode::failover, {RoutingScope::node}};
  EndpointSet set;
  set.endpoints = {
      {.workload_uid = here.uid, .health = Health::healthy, .weight = 1, .ports = {{80, 8080}}},
      {.workload_uid = there.uid, .health = Health::healthy, .weight = 1, .ports = {{80, 8080}}}};
  const auto mesh = [&] {
    return snapshot({share(here), share(there)}, {{std::make_shared<const Service>(copy),
                                                   std::make_shared<const EndpointSet>(set)}});
  };
  CHECK(tally(mesh()) == std::map<std::string, int>{{"here", 4000}});
  set.endpoints[0].health = Health::unhealthy;
  CHECK(tally(mesh()) == std::map<std::string, int>{{"there", 4000}});
  copy.balancing.mode = BalancingMode::strict;
  CHECK(tally(mesh()) == std::map<std::string, int>{{"none", 4000}});
}

}  // namespace
}  // namespace aquifer::model
