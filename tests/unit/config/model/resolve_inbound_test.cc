// What an inbound connection may reach; the order of the checks decides which status the peer sees.
#include "config/model/resolve.h"
#include "tests/unit/config/model/fixtures.h"

#include <doctest/doctest.h>

namespace aquifer::model {
namespace {

using namespace test;

const WorkloadPtr kServer = share(pod("server", "10.0.0.1"));

auto ask(const SnapshotPtr& mesh, std::string_view authority) {
  return resolve_inbound(*mesh,
                         {kServer, LocalAddr(SocketAddress{ip("10.0.0.1"), 15008}), authority});
}

TEST_CASE("an authority that names this pod's address reaches its port") {
  const auto target = ask(snapshot({kServer}), "10.0.0.1:8080");
  REQUIRE(target.has_value());
  CHECK(target->upstream.addr.to_string() == "10.0.0.1:8080");
  CHECK(target->service == nullptr);
}

TEST_CASE("an authority that names another address is refused with 400 and both addresses") {
  const auto target = ask(snapshot({kServer}), "10.0.0.2:8080");
  REQUIRE_FALSE(target.has_value());
  CHECK(target.error().status == 400);
  CHECK(target.error().reason == "ip mismatch: 10.0.0.1 != 10.0.0.2");
}

TEST_CASE("an authority that is neither address nor host with a port is refused with 400") {
  for (const char* authority :
       {"", ":", ":80", "10.0.0.1", "10.0.0.1:", "10.0.0.1:0", "10.0.0.1:65536", "10.0.0.1:80x",
        "host", "host:", "host:0", "a b:80", "[::1:80", "fd00::1:80", "host/path:80",
        "user@host:80", "http://10.0.0.1:80", "10.0.0.1:-1"}) {
    CAPTURE(authority);
    const auto target = ask(snapshot({kServer}), authority);
    REQUIRE_FALSE(target.has_value());
    CHECK(target.error().status == 400);
  }
}

TEST_CASE("our own ports are refused with 503") {
  for (const char* authority : {"10.0.0.1:15001", "10.0.0.1:15006", "10.0.0.1:15008"}) {
    CAPTURE(authority);
    const auto target = ask(snapshot({kServer}), authority);
    REQUIRE_FALSE(target.has_value());
    CHECK(target.error().status == 503);
    CHECK(target.error().error.code == Errc::recursion);
  }
}

TEST_CASE("an authority by host goes to this pod, at its own port for the service") {
  ServiceRecord record = service("10.96.0.1", {kServer});
  SUBCASE("as the endpoint maps it") {
    EndpointSet set;
    set.endpoints = {{.workload_uid = kServer->uid,
                      .health = Health::healthy,
                      .weight = 1,
                      .ports = {{80, 9090}}}};
    record.endpoints = std::make_shared<const EndpointSet>(set);
    const auto target = ask(snapshot({kServer}, {record}), "server.default.svc.cluster.local:80");
    REQUIRE(target.has_value());
    CHECK(target->upstream.addr.to_string() == "10.0.0.1:9090");
    CHECK(target->service == record.service);
  }
  SUBCASE("as the service says, when this pod is none of its endpoints") {
    record.endpoints = std::make_shared<const EndpointSet>();
    const auto target = ask(snapshot({kServer}, {record}), "server.default.svc.cluster.local:80");
    REQUIRE(target.has_value());
    CHECK(target->upstream.addr.to_string() == "10.0.0.1:8080");
  }
  SUBCASE("a port that the service has not got is refused with 503") {
    const auto target = ask(snapshot({kServer}, {record}), "server.default.svc.cluster.local:81");
    REQUIRE_FALSE(target.has_value());
    CHECK(target.error().status == 503);
  }
  SUBCASE("a host that nobody knows is refused with 503") {
    const auto target = ask(snapshot({kServer}, {record}), "nobody.default.svc.cluster.local:80");
    REQUIRE_FALSE(target.has_value());
    CHECK(target.error().status == 503);
  }
}

TEST_CASE("plaintext goes to its original destination, but never to our own ports") {
  CHECK(resolve_inbound_plaintext(dst("10.0.0.1:80"))->addr.to_string() == "10.0.0.1:80");
  for (const char* to : {"10.0.0.1:15001", "10.0.0.1:15006", "[fd00::1]:15008"}) {
    CHECK(resolve_inbound_plaintext(dst(to)).error().code == Errc::recursion);
  }
}

TEST_CASE("a peer's word for the service counts only if this pod serves it") {
  const auto own = service("10.96.0.1", {kServer});
  Service other = *own.service;
  other.hostname = "other.default.svc.cluster.local";
  const ServiceRecord foreign{std::make_shared<const Service>(other),
                              std::make_shared<const EndpointSet>()};
  const auto mesh = snapshot({kServer}, {own, foreign});
  CHECK(claimed_service(*mesh, *kServer, own.service->hostname) == own.service);
  CHECK(claimed_service(*mesh, *kServer, other.hostname) == nullptr);
  CHECK(claimed_service(*mesh, *kServer, "bogus") == nullptr);
}

}  // namespace
}  // namespace aquifer::model
