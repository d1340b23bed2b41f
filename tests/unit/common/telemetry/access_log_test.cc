#include "common/telemetry/access_log.h"

#include "tests/unit/common/telemetry/captured_log.h"

#include <doctest/doctest.h>

using namespace aquifer;
using namespace aquifer::telemetry;
using namespace std::chrono_literals;

namespace {

SocketAddress address(std::string_view text) {
  auto parsed = SocketAddress::parse(text);
  REQUIRE(parsed.has_value());
  return *parsed;
}

constexpr std::string_view kClientIdentity = "spiffe://cluster.local/ns/default/sa/client";
constexpr std::string_view kServerIdentity = "spiffe://cluster.local/ns/default/sa/server";

LogParty client() {
  return {.workload = "client",
          .workload_namespace = "default",
          .identity = kClientIdentity,
          .cluster = "Kubernetes"};
}
LogParty server() {
  return {.workload = "server",
          .workload_namespace = "default",
          .identity = kServerIdentity,
          .cluster = "Kubernetes"};
}

ConnectionLog outbound() {
  return {.direction = Direction::outbound,
          .src = client(),
          .dst_addr = address("10.231.2.2:15008"),
          .dst_hbone_addr = "10.231.2.2:8080",
          .dst_service = "server.default.svc.cluster.local",
          .dst = server()};
}

ConnectionLog inbound() {
  ConnectionLog log = outbound();
  log.direction = Direction::inbound;
  log.dst_service = {};
  return log;
}

constexpr std::string_view kOutboundClient = "10.231.1.2:46312";
constexpr std::string_view kInboundClient = "10.231.1.2:60502";

void complete(ConnectionLog log, std::string_view from, ConnectionEnd end) {
  log_complete(std::make_shared<const ConnectionLog>(std::move(log)), address(from),
               std::move(end));
}

}  // namespace

TEST_CASE("an outbound tunnelled connection is told as the peer tells it") {
  CapturedLog log("info");
  complete(outbound(), kOutboundClient,
           {.bytes_sent = 76, .bytes_recv = 207, .duration = 12ms, .error = {}});
  CHECK(
      log.lines() ==
      std::vector<std::string>{
          "info\taccess\tconnection complete\t"
          R"(src.addr=10.231.1.2:46312 src.workload="client" src.namespace="default" )"
          R"(src.identity="spiffe://cluster.local/ns/default/sa/client" src.cluster="Kubernetes" )"
          R"(dst.addr=10.231.2.2:15008 dst.hbone_addr=10.231.2.2:8080 )"
          R"(dst.service="server.default.svc.cluster.local" dst.workload="server" dst.namespace="default" )"
          R"(dst.identity="spiffe://cluster.local/ns/default/sa/server" dst.cluster="Kubernetes" )"
          R"(direction="outbound" bytes_sent=76 bytes_recv=207 duration="12ms")"});
}

TEST_CASE("an inbound tunnelled connection is told as the peer tells it") {
  CapturedLog log("info");
  complete(inbound(), kInboundClient,
           {.bytes_sent = 207, .bytes_recv = 76, .duration = 8ms, .error = {}});
  CHECK(
      log.lines() ==
      std::vector<std::string>{
          "info\taccess\tconnection complete\t"
          R"(src.addr=10.231.1.2:60502 src.workload="client" src.namespace="default" )"
          R"(src.identity="spiffe://cluster.local/ns/default/sa/client" src.cluster="Kubernetes" )"
          R"(dst.addr=10.231.2.2:15008 dst.hbone_addr=10.231.2.2:8080 dst.workload="server" )"
          R"(dst.namespace="default" dst.identity="spiffe://cluster.local/ns/default/sa/server" )"
          R"(dst.cluster="Kubernetes" direction="inbound" bytes_sent=207 bytes_recv=76 duration="8ms")"});
}

TEST_CASE("plaintext from an unknown source leaves out what is not known") {
  CapturedLog log("info");
  ConnectionLog connection{.direction = Direction::inbound,
                           .src = {},
                           .dst_addr = address("10.231.2.2:8080"),
                           .dst_hbone_addr = {},
                           .dst_service = {},
                           .dst = server()};
  connection.dst.identity = {};
  complete(std::move(connection), "10.231.0.1:44580",
           {.bytes_sent = 207, .bytes_recv = 79, .duration = 1900us, .error = {}});
  CHECK(
      log.lines() ==
      std::vector<std::string>{
          "info\taccess\tconnection complete\t"
          R"(src.addr=10.231.0.1:44580 dst.addr=10.231.2.2:8080 dst.workload="server" dst.namespace="default" )"
          R"(dst.cluster="Kubernetes" direction="inbound" bytes_sent=207 bytes_recv=79 duration="1ms")"});
}

TEST_CASE("a connection that failed is an error line with the error last") {
  CapturedLog log("info");
  complete(outbound(), kOutboundClient,
           {.duration = 400us, .error = "http status: 401 Unauthorized"});
  std::vector<std::string> lines = log.lines();
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].starts_with("error\taccess\tconnection complete\tsrc.addr=10.231.1.2:46312 "));
  CHECK(lines[0].ends_with(
      R"(direction="outbound" bytes_sent=0 bytes_recv=0 duration="0ms" error="http status: 401 Unauthorized")"));
}

TEST_CASE("a refusal before anything is known is a short warning") {
  CapturedLog log("info");
  log_early_denial(Direction::inbound, address("10.231.0.1:44836"), address("10.231.2.2:15008"),
                   "ip mismatch: 10.231.2.2 != 10.231.1.2");
  CHECK(log.lines() ==
        std::vector<std::string>{
            "warn\taccess\tconnection failed\tsrc.addr=10.231.0.1:44836 dst.addr=10.231.2.2:15008 "
            R"(direction="inbound" error="ip mismatch: 10.231.2.2 != 10.231.1.2")"});
}

TEST_CASE("the opening is a debug line without bytes or duration") {
  {
    CapturedLog log("info");
    log_opened(std::make_shared<const ConnectionLog>(outbound()), address(kOutboundClient));
    CHECK(log.lines().empty());
  }
  CapturedLog log("info,access=debug");
  log_opened(std::make_shared<const ConnectionLog>(inbound()), address(kInboundClient));
  std::vector<std::string> lines = log.lines();
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].starts_with("debug\taccess\tconnection opened\tsrc.addr=10.231.1.2:60502 "));
  CHECK(lines[0].ends_with(R"(dst.cluster="Kubernetes" direction="inbound")"));
}

TEST_CASE("IPv6 addresses stand in brackets") {
  CapturedLog log("info");
  log_early_denial(Direction::inbound, address("[fd00::1]:4000"), address("[fd00::2]:15008"), "x");
  CHECK(log.lines()[0].find("src.addr=[fd00::1]:4000 dst.addr=[fd00::2]:15008") !=
        std::string::npos);
}

TEST_CASE(
    "in JSON the fields have the same names and order, addresses as strings and bytes as numbers") {
  CapturedLog log("info", log::Format::json);
  complete(outbound(), kOutboundClient,
           {.bytes_sent = 76, .bytes_recv = 207, .duration = 12ms, .error = {}});
  std::vector<std::string> lines = log.lines();
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].starts_with(R"({"level":"info","time":"2)"));
  CHECK(lines[0].ends_with(
      R"("scope":"access","message":"connection complete","src.addr":"10.231.1.2:46312","src.workload":"client",)"
      R"("src.namespace":"default","src.identity":"spiffe://cluster.local/ns/default/sa/client",)"
      R"("src.cluster":"Kubernetes","dst.addr":"10.231.2.2:15008","dst.hbone_addr":"10.231.2.2:8080",)"
      R"("dst.service":"server.default.svc.cluster.local","dst.workload":"server","dst.namespace":"default",)"
      R"("dst.identity":"spiffe://cluster.local/ns/default/sa/server","dst.cluster":"Kubernetes",)"
      R"("direction":"outbound","bytes_sent":76,"bytes_recv":207,"duration":"12ms"})"));
}

TEST_CASE("an authority with a line break cannot forge a second line") {
  CapturedLog log("info");
  ConnectionLog connection = inbound();
  connection.dst_hbone_addr = "host:80\n2026-01-01T00:00:00Z\tinfo";
  complete(std::move(connection), kInboundClient,
           {.bytes_sent = 0, .bytes_recv = 0, .duration = 0ms, .error = {}});
  std::vector<std::string> lines = log.lines();
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].find(R"(dst.hbone_addr=host:80\n2026-01-01T00:00:00Z\tinfo )") !=
        std::string::npos);
}

TEST_CASE("turned off, the access log writes nothing and says so beforehand") {
  CapturedLog log("info,access=off");
  CHECK_FALSE(access_log_enabled());
  complete(outbound(), kOutboundClient,
           {.bytes_sent = 0, .bytes_recv = 0, .duration = 0ms, .error = "bad"});
  CHECK(log.lines().empty());
}

TEST_CASE("the views of a connection stay good until the line is written") {
  CapturedLog log("info");
  {
    struct Owner {
      std::string name;
      ConnectionLog log;
    };
    auto owner = std::make_shared<Owner>();
    owner->name = "a-pod-name-too-long-for-any-small-string-buffer";
    owner->log = inbound();
    owner->log.dst.workload = owner->name;
    log_complete(ConnectionLogPtr(owner, &owner->log), address(kInboundClient),
                 {.bytes_sent = 0, .bytes_recv = 0, .duration = 0ms, .error = {}});
  }
  CHECK(log.lines()[0].find(R"(dst.workload="a-pod-name-too-long-for-any-small-string-buffer")") !=
        std::string::npos);
}
