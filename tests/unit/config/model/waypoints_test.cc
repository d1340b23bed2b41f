// Connections that pass a waypoint: which, where it is found, what it is told, and that it is never
// passed by.
#include "config/model/resolve.h"
#include "config/model/resolve_trace.h"
#include "config/model/waypoint_choice.h"
#include "tests/unit/config/model/fixtures.h"

#include <doctest/doctest.h>

#include <map>

namespace aquifer::model {
namespace {

using namespace test;

WaypointRef by_host(const std::string& name) {
  WaypointRef ref;
  ref.name = "default/" + name;
  ref.ns = "default";
  ref.hostname = name + ".default.svc.cluster.local";
  return ref;
}

WaypointRef by_address(const std::string& address) {
  WaypointRef ref;
  ref.name = "default/waypoint";
  ref.address = NetworkAddress{"", ip(address)};
  return ref;
}

// client, server behind service 10.96.0.1, and a waypoint of one pod behind service 10.96.0.99.
struct World {
  Workload client = pod("client", "10.0.0.9");
  Workload server = pod("server", "10.0.0.1");
  Workload waypoint = pod("waypoint", "10.0.0.50");
  Service service;
  Service waypoint_service;
  EndpointSet waypoint_set;

  World() {
    service = *test::service("10.96.0.1", {share(server)}).service;
    waypoint_service.ns = "default";
    waypoint_service.name = "waypoint";
    waypoint_service.hostname = "waypoint.default.svc.cluster.local";
    waypoint_service.vips = {{"", ip("10.96.0.99")}};
    waypoint_set.endpoints = {{.workload_uid = waypoint.uid,
                               .health = Health::healthy,
                               .weight = 1,
                               .ports = {{15008, 15008}}}};
  }
  [[nodiscard]] SnapshotPtr mesh() const {
    const auto shared = share(server);
    return snapshot(
        {share(client), shared, share(waypoint)},
        {{std::make_shared<const Service>(service), test::service("10.96.0.1", {shared}).endpoints},
         {std::make_shared<const Service>(waypoint_service),
          std::make_shared<const EndpointSet>(waypoint_set)}});
  }
  [[nodiscard]] Resolution ask(std::string_view to, std::uint64_t random = 1) const {
    return resolve(*mesh(), {share(client), dst(to), random});
  }
};

void check_passes_waypoint(const Resolution& target, std::string_view authority, Via via) {
  REQUIRE(target.has_value());
  CHECK(target->path == Path::hbone);
  CHECK(target->via == via);
  CHECK(target->tunnel.addr.to_string() == "10.0.0.50:15008");
  CHECK(target->authority.addr.to_string() == authority);
  CHECK(target->expected_identities ==
        std::vector{SpiffeId::make("cluster.local", "default", "waypoint").value()});
  CHECK(target->workload->name == "waypoint");
  CHECK(target->security == SecurityPolicy::mutual_tls);
}

TEST_CASE("build_request_destination_svc_waypoint: to the waypoint, the VIP untranslated") {
  World world;
  for (const WaypointRef& ref :
       {by_host("waypoint"), by_address("10.96.0.99"), by_address("10.0.0.50")}) {
    world.service.waypoints = {ref};
    const auto target = world.ask("10.96.0.1:80");
    check_passes_waypoint(target, "10.96.0.1:80", Via::service_waypoint);
    CHECK(target->service->name == "server");
    CHECK(target->addressed == nullptr);
    CHECK(target->waypoint == ref.name);
  }
}

TEST_CASE("build_request_destination_waypoint: a workload's waypoint is told the pod's address") {
  World world;
  world.server.waypoint = by_host("waypoint");
  const auto target = world.ask("10.0.0.1:8080");
  check_passes_waypoint(target, "10.0.0.1:8080", Via::workload_waypoint);
  CHECK(target->service == nullptr);
  CHECK(target->addressed->name == "server");
}

TEST_CASE("a workload's waypoint is no service's, and a service's no workload's") {
  World world;
  SUBCASE("workload") {
    world.server.waypoint = by_host("waypoint");
    CHECK(world.ask("10.96.0.1:80")->via == Via::nobody);
    const auto trace = trace_resolve(*world.mesh(), {share(world.client), dst("10.96.0.1:80"), 1});
    CHECK(trace.waypoint.verdict == WaypointStep::Verdict::ignored);
  }
  SUBCASE("service") {
    world.service.waypoints = {by_host("waypoint")};
    CHECK(world.ask("10.0.0.1:8080")->via == Via::nobody);
  }
}

TEST_CASE("build_request_source_waypoint: the client's own waypoint is not passed") {
  World world;
  world.client.waypoint = by_host("waypoint");
  CHECK(world.ask("10.0.0.1:8080")->via == Via::nobody);
}

TEST_CASE("what comes from the waypoint is not sent back to it, however it is named") {
  World world;
  for (const WaypointRef& ref :
       {by_host("waypoint"), by_address("10.96.0.99"), by_address("10.0.0.50")}) {
    world.server.waypoint = ref;
    world.service.waypoints = {ref};
    for (const char* to : {"10.0.0.1:8080", "10.96.0.1:80"}) {
      const auto target = resolve(*world.mesh(), {share(world.waypoint), dst(to), 1});
      REQUIRE(target.has_value());
      CHECK(target->via == Via::nobody);
      CHECK(target->workload->name == "server");
    }
  }
}

TEST_CASE("build_request_destination_waypoint_mismatch_ip: another pod is not the waypoint") {
  World world;
  world.server.waypoint = by_address("10.0.0.50");
  world.client.identity = world.waypoint.identity;
  check_passes_waypoint(world.ask("10.0.0.1:8080"), "10.0.0.1:8080", Via::workload_waypoint);
}

struct Broken {
  const char* about;
  void (*change)(World&);
  const char* reason;
};

TEST_CASE("a waypoint that is missing, unready or nobody fails the connection, never passed by") {
  for (const Broken& row : std::vector<Broken>{
           {"no such service", [](World& w) { w.service.waypoints = {by_host("other")}; },
            "unknown waypoint: default/other does not exist"},
           {"no Gateway",
            [](World& w) {
              WaypointRef nowhere;
              nowhere.name = "default/x";
              w.service.waypoints = {nowhere};
            },
            "unknown waypoint: default/x does not exist"},
           {"no such address", [](World& w) { w.service.waypoints = {by_address("10.0.0.77")}; },
            "unknown waypoint: default/waypoint does not exist"},
           {"no endpoint", [](World& w) { w.waypoint_set.endpoints.clear(); },
            "unknown waypoint: default/waypoint has no ready endpoint"},
           {"unready endpoint",
            [](World& w) { w.waypoint_set.endpoints[0].health = Health::unhealthy; },
            "unknown waypoint: default/waypoint has no ready endpoint"},
           {"unready pod, by its address",
            [](World& w) {
              w.waypoint.health = Health::unhealthy;
              w.service.waypoints = {by_address("10.0.0.50")};
            },
            "unknown waypoint: default/waypoint has no ready endpoint"},
           {"nobody to expect", [](World& w) { w.waypoint.identity = SpiffeId(); },
            "unknown waypoint: default/waypoint has no identity"}}) {
    CAPTURE(row.about);
    World world;
    world.service.waypoints = {by_host("waypoint")};
    row.change(world);
    const auto target = world.ask("10.96.0.1:80");
    REQUIRE_FALSE(target.has_value());
    CHECK(target.error().error.code == Errc::not_found);
    CHECK(target.error().reason == row.reason);
  }
}

TEST_CASE("the waypoint's own port, the service's mapping of it, and its service's names count") {
  World world;
  world.service.waypoints = {by_host("waypoint")};
  world.service.waypoints[0].port = 15088;
  const auto other = SpiffeId::parse("spiffe://cluster.local/ns/x/sa/y").value();
  world.waypoint_service.subject_alt_names = {other};
  CHECK(world.ask("10.96.0.1:80")->tunnel.addr.port == 15088);
  CHECK(world.ask("10.96.0.1:80")->expected_identities.size() == 2);
  world.waypoint_set.endpoints[0].ports = {{15088, 16000}};
  CHECK(world.ask("10.96.0.1:80")->tunnel.addr.port == 16000);
}

TEST_CASE("the family of the waypoint's address follows the client's") {
  World world;
  world.waypoint.addresses.push_back(ip("fd00::50"));
  world.service.vips.push_back({"", ip("fd00:96::1")});
  world.service.waypoints = {by_host("waypoint")};
  CHECK(world.ask("[fd00:96::1]:80")->tunnel.addr.to_string() == "[fd00::50]:15008");
  CHECK(world.ask("[fd00:96::1]:80")->authority.addr.to_string() == "[fd00:96::1]:80");
}

TEST_CASE("test_sample_weighted_waypoint: connections follow the weights; 0 gets none") {
  World world;
  WaypointRef first = by_host("waypoint");
  WaypointRef canary = by_host("canary");
  std::map<std::string, int> counts;
  const auto tally = [&](std::uint32_t primary_weight, std::uint32_t canary_weight) {
    first.weight = primary_weight;
    canary.weight = canary_weight;
    const std::vector<WaypointRef> both{first, canary};
    counts.clear();
    for (std::uint64_t i = 0; i < 4000; ++i) ++counts[pick_waypoint(both, i).name];
  };
  tally(90, 10);
  CHECK(counts["default/canary"] > 286);
  CHECK(counts["default/canary"] < 514);
  tally(100, 0);
  CHECK(counts["default/waypoint"] == 4000);
  tally(0, 100);
  CHECK(counts["default/canary"] == 4000);
}

TEST_CASE("build_request_passthrough_svc: to the address that the client chose") {
  World world;
  world.service.cidr_vips = {{"", Cidr::parse("93.184.0.0/16").value()}};
  world.service.balancing.mode = BalancingMode::passthrough;
  const auto target = world.ask("93.184.216.34:443");
  REQUIRE(target.has_value());
  CHECK(target->path == Path::passthrough);
  CHECK(target->upstream.addr.to_string() == "93.184.216.34:443");
  CHECK(target->service->name == "server");
  SUBCASE("an address of a workload is reached as the workload's") {
    world.service.cidr_vips = {{"", Cidr::parse("10.0.0.0/24").value()}};
    const auto known = world.ask("10.0.0.1:8080");
    CHECK(known->path == Path::hbone);
    CHECK(known->workload->name == "server");
    CHECK(known->service->name == "server");
  }
  SUBCASE("build_request_passthrough_svc_with_waypoint") {
    world.service.waypoints = {by_host("waypoint")};
    check_passes_waypoint(world.ask("93.184.216.34:443"), "93.184.216.34:443",
                          Via::service_waypoint);
  }
}

TEST_CASE("build_request_empty_service: a VIP without endpoints is no passthrough") {
  World world;
  world.service.vips = {{"", ip("10.96.0.7")}};
  CHECK(resolve(*snapshot({share(world.client)}, {{std::make_shared<const Service>(world.service),
                                                   std::make_shared<const EndpointSet>()}}),
                {share(world.client), dst("10.96.0.7:80"), 1})
            .error()
            .reason == "no healthy upstream: 10.96.0.7:80");
}

TEST_CASE("a workload that has only a host name is completed once the name was resolved") {
  World world;
  world.server.addresses.clear();
  world.server.hostname = "db.example.com";
  for (const TunnelProtocol protocol : {TunnelProtocol::tcp, TunnelProtocol::hbone}) {
    world.server.protocol = protocol;
    auto target = world.ask("10.96.0.1:80");
    REQUIRE(target.has_value());
    CHECK(target->unresolved_host == "db.example.com");
    CHECK(target->upstream.addr.port == 8080);
    target->set_resolved(ip("10.5.5.5"));
    CHECK(target->unresolved_host.empty());
    CHECK(target->upstream.addr.to_string() == "10.5.5.5:8080");
    if (protocol == TunnelProtocol::tcp) continue;
    CHECK(target->tunnel.addr.to_string() == "10.5.5.5:15008");
    CHECK(target->authority.addr.to_string() == "10.5.5.5:8080");
  }
}

TEST_CASE("sandwich: a waypoint's own proxy takes what is meant for those behind it, and no more") {
  World world;
  world.service.waypoints = {by_host("waypoint")};
  world.server.waypoint = by_address("10.0.0.50");
  const auto mesh = world.mesh();
  const auto arrive = [&](const Workload& local, std::string_view authority) {
    const LocalAddr own(SocketAddress{local.addresses.front(), 15008});
    const auto target = resolve_inbound(*mesh, {share(local), own, authority});
    return target ? target->upstream.addr.to_string() : target.error().reason;
  };
  CHECK(arrive(world.waypoint, "10.96.0.1:80") == "10.0.0.50:80");
  CHECK(arrive(world.waypoint, "10.0.0.1:8080") == "10.0.0.50:8080");
  CHECK(arrive(world.waypoint, "10.0.0.9:80") == "ip mismatch: 10.0.0.50 != 10.0.0.9");
  CHECK(arrive(world.client, "10.96.0.1:80") == "ip mismatch: 10.0.0.9 != 10.96.0.1");
  CHECK(arrive(world.waypoint, "10.96.0.1:15001") == "attempted recursive call to ourselves");
}

TEST_CASE("a trace tells the waypoint, its endpoints, and the tunnel") {
  World world;
  world.service.waypoints = {by_host("waypoint")};
  const auto mesh = world.mesh();
  const auto trace = trace_resolve(*mesh, {share(world.client), dst("10.96.0.1:80"), 1});
  CHECK(trace.waypoint.verdict == WaypointStep::Verdict::used);
  CHECK(trace.waypoint.via == Via::service_waypoint);
  CHECK(trace.balanced->name == "waypoint");
  REQUIRE(trace.endpoints.size() == 1);
  CHECK(trace.endpoints[0].verdict == EndpointVerdict::eligible);
  CHECK(trace.result->endpoint == trace.endpoints[0].id);
}

}  // namespace
}  // namespace aquifer::model
