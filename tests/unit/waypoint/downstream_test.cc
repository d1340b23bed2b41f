#include "waypoint/downstream.h"

#include "tests/unit/config/model/fixtures.h"

#include <doctest/doctest.h>

namespace aquifer::waypoint {
namespace {

using model::test::ip;

constexpr std::string_view kGateway = "infra/waypoint";

model::WaypointRef ours() {
  model::WaypointRef waypoint;
  waypoint.name = kGateway;
  return waypoint;
}

model::SnapshotPtr mesh() {
  model::Workload mine = model::test::pod("mine", "10.0.0.1");
  mine.waypoint = ours();
  const auto near = model::test::share(mine);
  const auto other = model::test::share(model::test::pod("other", "10.0.0.2"));
  model::ServiceRecord record = model::test::service("10.96.0.1", {near});
  model::Service service = *record.service;
  service.waypoints = {ours()};
  record.service = std::make_shared<const model::Service>(service);
  return model::test::snapshot({near, other}, {record});
}

std::expected<Meant, NotMeant> asked(std::string_view authority,
                                     std::string_view gateway = kGateway) {
  return what_is_meant(*mesh(), gateway, "", authority, "default");
}

TEST_CASE("a service is meant by its address or its host name, with a port that it has") {
  for (const std::string_view authority : {"10.96.0.1:80", "server.default.svc.cluster.local:80"}) {
    const auto meant = asked(authority);
    REQUIRE(meant.has_value());
    REQUIRE(meant->service != nullptr);
    CHECK(meant->service->name == "server");
    CHECK(meant->port == 80);
    CHECK(meant->wanted == SocketAddress{ip("10.96.0.1"), 80});
  }
  const auto without = asked("10.96.0.1:81");
  REQUIRE_FALSE(without.has_value());
  CHECK(without.error().status == 404);
}

TEST_CASE("a workload that uses the waypoint is meant by its address, on any port") {
  const auto meant = asked("10.0.0.1:1234");
  REQUIRE(meant.has_value());
  CHECK(meant->service == nullptr);
  REQUIRE(meant->workload != nullptr);
  CHECK(meant->workload->name == "mine");
  CHECK(meant->port == 1234);
}

TEST_CASE("what uses another waypoint, or none, is refused, and so is what nobody knows") {
  for (const std::string_view authority : {"10.0.0.2:80", "10.9.9.9:80", "unknown.test:80"}) {
    CAPTURE(authority);
    const auto meant = asked(authority);
    REQUIRE_FALSE(meant.has_value());
    CHECK(meant.error().status == 404);
  }
  CHECK_FALSE(asked("10.96.0.1:80", "infra/another").has_value());
  // Of its own namespace everything is served, while a change of labels is on its way.
  CHECK(asked("10.0.0.2:80", "default/another").has_value());
}

TEST_CASE("an authority that is none is the client's fault") {
  for (const std::string_view authority : {"", ":80", "10.0.0.1", "10.0.0.1:0x50", "a b:80"}) {
    CAPTURE(authority);
    const auto meant = asked(authority);
    REQUIRE_FALSE(meant.has_value());
    CHECK(meant.error().status == 400);
  }
}

}  // namespace
}  // namespace aquifer::waypoint
