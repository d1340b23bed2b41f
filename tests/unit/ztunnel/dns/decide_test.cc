// What a pod is told about a name. Each case is a line of the peer's written semantics.
#include "ztunnel/dns/decide.h"

#include "tests/unit/config/model/fixtures.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <tuple>

namespace aquifer::ztunnel::dns {
namespace {

using namespace model::test;
using model::Changes;
using model::Health;
using model::Service;
using model::ServiceKind;
using model::ServiceRecord;
using model::Workload;

struct Host {
  std::string host;
  std::string ns = "default";
  std::vector<std::string> vips = {};
  ServiceKind kind = ServiceKind::cluster_ip;
  std::string network = {};
  std::vector<std::string> endpoints = {};
};

ServiceRecord record(const Host& host) {
  Service service;
  service.ns = host.ns;
  service.name = host.host;
  service.hostname = host.host;
  service.kind = host.kind;
  for (const std::string& vip : host.vips) service.vips.push_back({host.network, ip(vip)});
  model::EndpointSet set;
  for (const std::string& uid : host.endpoints)
    set.endpoints.push_back({uid, Health::healthy, 1, {}});
  return {std::make_shared<const Service>(service),
          std::make_shared<const model::EndpointSet>(set)};
}

model::SnapshotPtr mesh_of(const std::vector<Host>& hosts,
                           std::vector<model::WorkloadPtr> workloads = {}) {
  std::vector<ServiceRecord> records;
  for (const Host& host : hosts) records.push_back(record(host));
  return snapshot(std::move(workloads), records);
}

constexpr auto kA = RecordType::a;
constexpr auto kAaaa = RecordType::aaaa;

/// The answer in words: "forward", "SERVFAIL", "empty", "10.0.0.1 10.0.0.2", "www.x -> 10.0.0.1".
std::string ask(const model::SnapshotPtr& mesh, std::string name, RecordType type = kA,
                const DecideOptions& options = {}, const Workload& client = pod("c", "10.0.0.9"),
                std::uint64_t random = 1) {
  const auto answer =
      decide(*mesh, &client, {.name = std::move(name), .type = type}, options, random);
  if (!answer) return "forward";
  if (answer->rcode != Rcode::no_error) return name_of(answer->rcode);
  std::vector<std::string> said;
  for (const IpAddress& address : answer->addresses) said.push_back(address.to_string());
  std::ranges::sort(said);
  std::string out = answer->alias_of.empty() ? "" : answer->alias_of + " ->";
  for (const std::string& address : said) out += (out.empty() ? "" : " ") + address;
  return out.empty() ? "empty" : out;
}

const Host kServer{.host = "server.default.svc.cluster.local", .vips = {"10.96.0.1", "fd00:96::1"}};

TEST_CASE("a service's name in each of its forms is its address, without an alias") {
  const auto mesh = mesh_of({kServer});
  for (const char* name :
       {"server", "server.default", "server.default.svc", "server.default.svc.cluster.local"}) {
    CAPTURE(name);
    CHECK(ask(mesh, name) == "10.96.0.1");
    CHECK(ask(mesh, name, kAaaa) == "fd00:96::1");
  }
}

TEST_CASE("a full name behind a search domain is an alias of the full name") {
  const auto mesh = mesh_of({kServer});
  CHECK(ask(mesh, "server.default.svc.cluster.local.default.svc.cluster.local") ==
        "server.default.svc.cluster.local -> 10.96.0.1");
  CHECK(ask(mesh, "server.default.svc.cluster.local.cluster.local") ==
        "server.default.svc.cluster.local -> 10.96.0.1");
  CHECK(ask(mesh, "server.default.svc.cluster.local.svc.cluster.local") ==
        "server.default.svc.cluster.local -> 10.96.0.1");
}

TEST_CASE("another namespace's service is found by its namespace only") {
  const auto mesh =
      mesh_of({{.host = "web.shop.svc.cluster.local", .ns = "shop", .vips = {"10.96.0.2"}}});
  CHECK(ask(mesh, "web") == "forward");
  CHECK(ask(mesh, "web.shop") == "10.96.0.2");
  CHECK(ask(mesh, "web.shop.svc.cluster.local") == "10.96.0.2");
}

TEST_CASE("only A and AAAA are answered; every other type goes upstream, our names too") {
  const auto mesh = mesh_of({kServer});
  for (const std::uint16_t type : {2, 5, 6, 12, 15, 16, 33, 64, 65, 252, 255}) {
    CAPTURE(type);
    CHECK(ask(mesh, "server.default.svc.cluster.local", static_cast<RecordType>(type)) ==
          "forward");
  }
}

TEST_CASE("an unknown host goes upstream") {
  const auto mesh = mesh_of({kServer});
  CHECK(ask(mesh, "www.example.com") == "forward");
  CHECK(ask(mesh, "other.default.svc.cluster.local") == "forward");
  CHECK(ask(mesh, "") == "forward");
}

TEST_CASE("a pod nobody knows is told SERVFAIL, for other types its query still goes upstream") {
  const auto mesh = mesh_of({kServer});
  const auto answer = decide(*mesh, nullptr, {.name = "server", .type = kA}, {}, 1);
  REQUIRE(answer.has_value());
  CHECK(answer->rcode == Rcode::serv_fail);
  CHECK_FALSE(
      decide(*mesh, nullptr, {.name = "server", .type = static_cast<RecordType>(33)}, {}, 1));
}

TEST_CASE("found, but without an address of the family: NOERROR and nothing, also no alias") {
  const auto mesh = mesh_of({{.host = "four.default.svc.cluster.local", .vips = {"10.96.0.4"}}});
  CHECK(ask(mesh, "four", kAaaa) == "empty");
  CHECK(ask(mesh, "four.default.svc.cluster.local.cluster.local", kAaaa) == "empty");
}

TEST_CASE("IPV6_ENABLED=false withholds AAAA") {
  DecideOptions options;
  options.ipv6 = Ipv6Answers::off;
  const auto mesh = mesh_of({kServer});
  CHECK(ask(mesh, "server", kAaaa, options) == "empty");
  CHECK(ask(mesh, "server", kA, options) == "10.96.0.1");
}

TEST_CASE("only addresses of the client's own network are told") {
  const auto mesh =
      mesh_of({{.host = "far.default.svc.cluster.local", .vips = {"10.96.0.5"}, .network = "n2"}});
  CHECK(ask(mesh, "far") == "empty");
  Workload client = pod("c", "10.0.0.9");
  client.network = "n2";
  CHECK(ask(mesh, "far", kA, {}, client) == "10.96.0.5");
}

TEST_CASE("a headless service is the addresses of its healthy endpoints, one each and family") {
  Workload first = pod("e1", "10.0.0.1");
  first.addresses = {ip("10.0.0.1"), ip("10.0.0.11"), ip("fd00::1")};
  const Workload second = pod("e2", "10.0.0.2");
  const Workload sick = pod("e3", "10.0.0.3");
  Host host{.host = "db.default.svc.cluster.local",
            .kind = ServiceKind::headless,
            .endpoints = {first.uid, second.uid, "gone"}};
  ServiceRecord db = record(host);
  model::EndpointSet set = *db.endpoints;
  set.endpoints.push_back({sick.uid, Health::unhealthy, 1, {}});
  db.endpoints = std::make_shared<const model::EndpointSet>(set);
  const auto mesh = snapshot({share(first), share(second), share(sick)}, {db});
  CHECK(ask(mesh, "db") == "10.0.0.1 10.0.0.2");
  CHECK(ask(mesh, "db", kAaaa) == "fd00::1");
}

TEST_CASE("a headless service without endpoints is empty and is not asked for upstream") {
  const auto mesh =
      mesh_of({{.host = "db.default.svc.cluster.local", .kind = ServiceKind::headless}});
  CHECK(ask(mesh, "db") == "empty");
}

TEST_CASE("the pods of a headless service are not ours to name") {
  const Workload first = pod("e1", "10.0.0.1");
  const auto mesh = mesh_of({{.host = "db.default.svc.cluster.local",
                              .kind = ServiceKind::headless,
                              .endpoints = {first.uid}}},
                            {share(first)});
  CHECK(ask(mesh, "e1.db.default.svc.cluster.local") == "forward");
}

TEST_CASE("an ExternalName that leads nowhere is not ours") {
  const auto mesh =
      mesh_of({{.host = "ext.default.svc.cluster.local", .kind = ServiceKind::external_name}});
  CHECK(ask(mesh, "ext") == "forward");
}

TEST_CASE("an ExternalName that says where it leads is an alias of that, in either family") {
  ServiceRecord outside =
      record({.host = "ext.default.svc.cluster.local", .kind = ServiceKind::external_name});
  Service service = *outside.service;
  service.external_name = "WWW.example.com.";
  outside.service = std::make_shared<const Service>(service);
  const auto mesh = snapshot({}, {outside});
  const Workload client = pod("c", "10.0.0.9");
  for (const RecordType type : {kA, kAaaa}) {
    const auto answer = decide(*mesh, &client, {.name = "ext", .type = type}, {}, 1);
    REQUIRE(answer.has_value());
    CHECK(answer->leads_outside);
    CHECK(answer->alias_of == "www.example.com");
    CHECK(answer->addresses.empty());
  }
}

TEST_CASE("a ServiceEntry's host is its address; without one it goes upstream") {
  const auto mesh =
      mesh_of({{.host = "api.example.com", .vips = {"240.240.0.1"}}, {.host = "raw.example.com"}});
  CHECK(ask(mesh, "api.example.com") == "240.240.0.1");
  CHECK(ask(mesh, "raw.example.com") == "forward");
}

TEST_CASE("a ServiceEntry's host behind a search domain is an alias of it") {
  const auto mesh = mesh_of({{.host = "api.example.com", .vips = {"240.240.0.1"}}});
  CHECK(ask(mesh, "api.example.com.default.svc.cluster.local") == "api.example.com -> 240.240.0.1");
  CHECK(ask(mesh, "api.example.com.svc.cluster.local") == "api.example.com -> 240.240.0.1");
  CHECK(ask(mesh, "api.example.com.cluster.local") == "api.example.com -> 240.240.0.1");
  CHECK(ask(mesh, "api.example.com.other.svc.cluster.local") == "forward");
}

TEST_CASE("a wildcard covers the names below it, and the most specific wins") {
  const auto mesh = mesh_of({{.host = "*.example.com", .vips = {"240.240.0.2"}},
                             {.host = "*.a.example.com", .vips = {"240.240.0.3"}},
                             {.host = "b.example.com", .vips = {"240.240.0.4"}}});
  CHECK(ask(mesh, "x.example.com") == "240.240.0.2");
  CHECK(ask(mesh, "x.y.example.com") == "240.240.0.2");
  CHECK(ask(mesh, "x.a.example.com") == "240.240.0.3");
  CHECK(ask(mesh, "b.example.com") == "240.240.0.4");
  CHECK(ask(mesh, "example.com") == "forward");
  CHECK(ask(mesh, "xexample.com") == "forward");
}

TEST_CASE("a wildcard behind a search domain answers under the name that was asked") {
  const auto mesh = mesh_of({{.host = "*.example.com", .vips = {"240.240.0.2"}}});
  CHECK(ask(mesh, "x.example.com.default.svc.cluster.local") == "240.240.0.2");
}

TEST_CASE("a wildcard without an address leaves its names to the world's DNS") {
  const auto mesh = mesh_of({{.host = "*.example.com"}});
  CHECK(ask(mesh, "x.example.com") == "forward");
}

TEST_CASE("a service without an address does not hide a wildcard that has one") {
  const auto mesh =
      mesh_of({{.host = "raw.example.com"}, {.host = "*.example.com", .vips = {"240.240.0.2"}}});
  CHECK(ask(mesh, "raw.example.com") == "240.240.0.2");
}

TEST_CASE("of one host in several namespaces the client's own wins, then the preferred one") {
  const auto mesh =
      mesh_of({{.host = "api.example.com", .ns = "zoo", .vips = {"240.240.0.9"}},
               {.host = "api.example.com", .ns = "shop", .vips = {"240.240.0.8"}},
               {.host = "api.example.com", .ns = "default", .vips = {"240.240.0.7"}}});
  CHECK(ask(mesh, "api.example.com") == "240.240.0.7");
  Workload other = pod("c", "10.0.0.9");
  other.ns = "elsewhere";
  DecideOptions options;
  options.preferred_namespace = "zoo";
  CHECK(ask(mesh, "api.example.com", kA, options, other) == "240.240.0.9");
  CHECK(ask(mesh, "api.example.com", kA, options) == "240.240.0.7");
  // Nothing decides: always the same one, on every node.
  CHECK(ask(mesh, "api.example.com", kA, {}, other) == "240.240.0.7");
}

TEST_CASE("among services of other namespaces the canonical one comes before the preferred") {
  ServiceRecord canonical =
      record({.host = "api.example.com", .ns = "zoo", .vips = {"240.240.0.9"}});
  Service service = *canonical.service;
  service.canonical = true;
  canonical.service = std::make_shared<const Service>(service);
  const auto mesh = snapshot(
      {}, {canonical, record({.host = "api.example.com", .ns = "shop", .vips = {"240.240.0.8"}})});
  DecideOptions options;
  options.preferred_namespace = "shop";
  CHECK(ask(mesh, "api.example.com", kA, options) == "240.240.0.9");
  Workload owner = pod("c", "10.0.0.9");
  owner.ns = "shop";
  CHECK(ask(mesh, "api.example.com", kA, options, owner) == "240.240.0.8");
}

TEST_CASE("a service that is exported to other namespaces only does not exist for the client") {
  ServiceRecord hidden = record({.host = "api.example.com", .ns = "shop", .vips = {"240.240.0.8"}});
  Service service = *hidden.service;
  service.export_to = {"shop", "zoo"};
  hidden.service = std::make_shared<const Service>(service);
  const auto mesh = snapshot({}, {hidden});
  CHECK(ask(mesh, "api.example.com") == "forward");
  for (const char* ns : {"shop", "zoo"}) {
    Workload friendly = pod("c", "10.0.0.9");
    friendly.ns = ns;
    CHECK(ask(mesh, "api.example.com", kA, {}, friendly) == "240.240.0.8");
  }
}

TEST_CASE("a service of one family withholds the other's addresses") {
  for (const auto [families, four, six] :
       {std::tuple{model::IpFamilies::v4, "10.96.0.1", "empty"},
        std::tuple{model::IpFamilies::v6, "empty", "fd00:96::1"},
        std::tuple{model::IpFamilies::dual, "10.96.0.1", "fd00:96::1"}}) {
    ServiceRecord one = record(kServer);
    Service service = *one.service;
    service.ip_families = families;
    one.service = std::make_shared<const Service>(service);
    const auto mesh = snapshot({}, {one});
    CHECK(ask(mesh, "server", kA) == four);
    CHECK(ask(mesh, "server", kAaaa) == six);
  }
}

TEST_CASE("publishNotReadyAddresses: a headless service tells of endpoints that are not ready") {
  const Workload sick = pod("e1", "10.0.0.1");
  ServiceRecord db =
      record({.host = "db.default.svc.cluster.local", .kind = ServiceKind::headless});
  Service service = *db.service;
  service.balancing.health = model::HealthPolicy::allow_all;
  db.service = std::make_shared<const Service>(service);
  model::EndpointSet set;
  set.endpoints.push_back({sick.uid, Health::unhealthy, 1, {}});
  db.endpoints = std::make_shared<const model::EndpointSet>(set);
  CHECK(ask(snapshot({share(sick)}, {db}), "db") == "10.0.0.1");
}

TEST_CASE("another cluster domain is searched and answered") {
  DecideOptions options;
  options.cluster_domain = "mesh.example";
  const auto mesh = mesh_of({{.host = "server.default.svc.mesh.example", .vips = {"10.96.0.6"}}});
  CHECK(ask(mesh, "server", kA, options) == "10.96.0.6");
  CHECK(ask(mesh, "server.default.svc.cluster.local", kA, options) == "forward");
}

TEST_CASE("the order of addresses follows the random number, and all are always there") {
  std::vector<std::string> uids;
  std::vector<model::WorkloadPtr> pods;
  for (int i = 1; i <= 6; ++i) {
    pods.push_back(share(pod("e" + std::to_string(i), "10.0.0." + std::to_string(i))));
    uids.push_back(pods.back()->uid);
  }
  const auto mesh = mesh_of(
      {{.host = "db.default.svc.cluster.local", .kind = ServiceKind::headless, .endpoints = uids}},
      pods);
  const Workload client = pod("c", "10.0.0.9");
  const Question question{.name = "db", .type = kA};
  std::set<std::string> firsts;
  for (std::uint64_t random = 0; random < 100; ++random) {
    const auto answer = decide(*mesh, &client, question, {}, random);
    REQUIRE(answer->addresses.size() == 6);
    CHECK(answer->addresses == decide(*mesh, &client, question, {}, random)->addresses);
    firsts.insert(answer->addresses.front().to_string());
  }
  CHECK(firsts.size() == 6);
}

}  // namespace
}  // namespace aquifer::ztunnel::dns
