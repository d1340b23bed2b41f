// What `ztunnel explain` says of small meshes: each step, and both renderings.
#include "ztunnel/explain/explain.h"

#include "tests/unit/ztunnel/explain/asking.h"
#include "ztunnel/explain/explain_json.h"
#include "ztunnel/explain/explain_text.h"
#include "ztunnel/explain/way.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <string>

namespace aquifer::ztunnel {
namespace {

using manifests::test::load_text;
using manifests::test::ns_yaml;
using manifests::test::pod_yaml;
using manifests::test::service_yaml;
using test::ask;
using test::question;

const std::string kShop =
    ns_yaml("default", "{istio.io/dataplane-mode: ambient}") +
    pod_yaml("web", "10.0.0.1", "labels: {app: web}", "nodeName: n1, serviceAccountName: web") +
    pod_yaml("db-1", "10.0.0.2", "labels: {app: db}", "nodeName: n2, serviceAccountName: db") +
    pod_yaml("db-2", "10.0.0.3", "labels: {app: db, istio.io/dataplane-mode: none}",
             "nodeName: n2, serviceAccountName: db") +
    "---\napiVersion: v1\nkind: Pod\nmetadata: {name: db-3, labels: {app: db}}\nspec: {nodeName: "
    "n2}\n"
    "status: {podIP: 10.0.0.4, conditions: [{type: Ready, status: 'False'}]}\n" +
    service_yaml("db", "10.96.0.1", "{app: db}", "[{port: 5432, targetPort: 15432}]") +
    service_yaml("all", "None", "{app: db}", "[{port: 5432}]");

Explanation ask(const Question& asked) {
  return test::ask(asked, kShop);
}

Explanation ask(std::string_view from, std::string_view to) {
  return ask(question(from, to));
}

const EndpointStep& endpoint(const ConnectionStep& connection, std::string_view workload) {
  for (const EndpointStep& one : connection.endpoints) {
    if (one.workload == workload) return one;
  }
  FAIL("no endpoint ", std::string(workload));
  return connection.endpoints.front();
}

TEST_CASE("every endpoint of a service is told with its way, or with the reason why not") {
  const Explanation answer = ask("default/web", "db:5432");
  CHECK(answer.outcome == Outcome::allowed);
  CHECK(answer.source.captured);
  CHECK(answer.source.identity == "spiffe://cluster.local/ns/default/sa/web");
  REQUIRE(answer.name.has_value());
  CHECK(answer.name->answered_by == "mesh");
  CHECK(answer.name->addresses == std::vector<std::string>{"10.96.0.1"});
  REQUIRE(answer.connections.size() == 1);
  const ConnectionStep& connection = answer.connections.front();
  CHECK(connection.destination == "10.96.0.1:5432");
  CHECK(connection.service == "db.default.svc.cluster.local");
  REQUIRE(connection.endpoints.size() == 3);
  const EndpointStep& captured = endpoint(connection, "default/db-1");
  CHECK(captured.path == "hbone");
  CHECK(captured.address == "10.0.0.2:15432");
  CHECK(captured.tunnel == "10.0.0.2:15008");
  CHECK(captured.expected_identities ==
        std::vector<std::string>{"spiffe://cluster.local/ns/default/sa/db"});
  CHECK(captured.inbound.outcome == Outcome::allowed);
  const EndpointStep& outside = endpoint(connection, "default/db-2");
  CHECK(outside.path == "plain");
  CHECK(outside.inbound.outcome == Outcome::not_asked);
  CHECK(outside.outcome == Outcome::allowed);
  const EndpointStep& unready = endpoint(connection, "default/db-3");
  CHECK_FALSE(unready.eligible);
  CHECK(unready.standing == "unhealthy");
  CHECK(unready.address == "10.0.0.4");
}

TEST_CASE("a headless service is explained at each of its addresses") {
  const Explanation answer = ask("default/web", "all:5432");
  REQUIRE(answer.connections.size() == 2);
  CHECK(answer.connections[0].destination == "10.0.0.2:5432");
  CHECK(answer.connections[1].destination == "10.0.0.3:5432");
}

TEST_CASE("nobody's address passes through, and a port of the proxy's own is refused") {
  const Explanation stranger = ask("default/web", "203.0.113.9:443");
  REQUIRE(stranger.connections.front().endpoints.size() == 1);
  CHECK(stranger.connections.front().endpoints.front().path == "passthrough");
  CHECK(stranger.outcome == Outcome::allowed);
  const Explanation nowhere = ask("default/web", "10.96.0.1:1");
  CHECK(nowhere.outcome == Outcome::fails);
  CHECK(nowhere.connections.front().failure == "no healthy upstream: 10.96.0.1:1");
}

TEST_CASE("what stays inside the pod is captured by nobody") {
  for (const char* to : {"127.0.0.1:80", "[::1]:15001", "10.0.0.1:80"}) {
    CAPTURE(to);
    const Explanation answer = ask("default/web", to);
    CHECK(answer.outcome == Outcome::allowed);
    CHECK(answer.connections.front().endpoints.front().path == "untouched");
  }
}

TEST_CASE("a client outside the mesh comes in plaintext, to every endpoint that is ready") {
  const Explanation answer = ask("198.51.100.1", "10.96.0.1:5432");
  CHECK_FALSE(answer.source.captured);
  const ConnectionStep& connection = answer.connections.front();
  CHECK(endpoint(connection, "default/db-1").path == "untouched");
  CHECK(endpoint(connection, "default/db-1").inbound.outcome == Outcome::allowed);
  CHECK(endpoint(connection, "default/db-2").inbound.outcome == Outcome::not_asked);
  CHECK_FALSE(endpoint(connection, "default/db-3").eligible);
}

TEST_CASE("--plaintext and --node take the source's proxy away, and say so") {
  Question asked = question("default/web", "10.0.0.2:1");
  asked.capture = SourceCapture::bypassed;
  CHECK(ask(asked).source.why == "--plaintext: as if it were not captured");
  asked.capture = SourceCapture::as_in_the_mesh;
  asked.node = "n9";
  CHECK(ask(asked).source.why == "it is on n1, not on n9");
  CHECK_FALSE(ask(asked).source.captured);
  asked.node = "n1";
  CHECK(ask(asked).source.captured);
}

TEST_CASE("a host that is not of the mesh is undecided, for its address is not known") {
  const Explanation answer = ask("default/web", "example.org:443");
  CHECK(answer.outcome == Outcome::undecided);
  CHECK(answer.name->answered_by == "upstream");
  CHECK(answer.connections.empty());
}

TEST_CASE("a pod of both families connects from its address of the destination's family") {
  const std::string mesh =
      ns_yaml("default", "{istio.io/dataplane-mode: ambient}") +
      "---\napiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {nodeName: n1}\n"
      "status: {podIPs: [{ip: 10.0.0.1}, {ip: 'fd00::1'}]}\n"
      "---\napiVersion: v1\nkind: Pod\nmetadata: {name: db}\nspec: {nodeName: n1}\n"
      "status: {podIPs: [{ip: 10.0.0.2}, {ip: 'fd00::2'}]}\n"
      "---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: p}\n"
      "spec: {rules: [{from: [{source: {ipBlocks: ['fd00::/64']}}]}]}\n";
  CHECK(ask(question("default/web", "[fd00::2]:80"), mesh).outcome == Outcome::allowed);
  const Explanation denied = ask(question("default/web", "10.0.0.2:80"), mesh);
  CHECK(denied.outcome == Outcome::denied);
  const EndpointStep& end = denied.connections.front().endpoints.front();
  CHECK(end.inbound.reason ==
        "connection closed due to policy rejection: allow policies exist, but none allowed");
  CHECK(end.inbound.nearest_miss.starts_with("would pass if the source address were"));
}

TEST_CASE("a pod that is not there is told which are") {
  const auto loaded = load_text(kShop);
  const auto missing = explain(*loaded.snapshot(), question("default/wep", "db:1"), {});
  REQUIRE_FALSE(missing.has_value());
  CHECK(missing.error() ==
        "--from default/wep: there is no such pod; namespace default has db-1, db-2, db-3, web");
  const auto empty = explain(*loaded.snapshot(), question("shop/web", "db:1"), {});
  CHECK(empty.error() ==
        "--from shop/web: there is no such pod; namespace shop has no pods at all");
}

TEST_CASE("HTTP attributes are said not to be evaluated") {
  Question asked = question("default/web", "db:5432");
  asked.http.method = "GET";
  const Explanation answer = ask(asked);
  REQUIRE(answer.notes.size() == 1);
  CHECK(answer.notes.front().contains("waypoints alone"));
}

TEST_CASE("the JSON names what a program needs, and leaves out what is empty") {
  const nlohmann::json json = explanation_json(ask("default/web", "db:5432"));
  CHECK(json["verdict"] == "allowed");
  CHECK(json["source"]["workload"] == "default/web");
  CHECK(json["name"]["service"] == "default/db.default.svc.cluster.local");
  const nlohmann::json& connection = json["connections"][0];
  CHECK(connection["service"]["namespace"] == "default");
  CHECK_FALSE(connection.contains("waypoint"));
  CHECK(connection["endpoints"][0]["inbound"]["verdict"] == "allowed");
  CHECK_FALSE(connection["endpoints"][2].contains("inbound"));
  CHECK_FALSE(json.contains("refusals"));
}

TEST_CASE("the text has no colour unless asked for, and cannot be steered by names") {
  Explanation answer = ask("default/web", "db:5432");
  answer.source.why = "evil\x1b[2J\nname";
  const std::string plain = explanation_text(answer, Colour::off);
  CHECK_FALSE(plain.contains('\x1b'));
  CHECK(plain.contains("evil\\x1b[2J\\x0aname"));
  CHECK(plain.starts_with("verdict     allowed\nfrom        default/web (10.0.0.1, on n1)\n"));
  CHECK(explanation_text(answer, Colour::on).contains("\x1b[32mallowed\x1b[0m"));
}

TEST_CASE("outcomes add up as a careful person would") {
  using enum Outcome;
  CHECK(together(not_asked, allowed) == allowed);
  CHECK(together(allowed, denied) == undecided);
  CHECK(together(denied, denied) == denied);
  CHECK(in_a_row(allowed, not_asked) == allowed);
  CHECK(in_a_row(allowed, denied) == denied);
  CHECK(in_a_row(undecided, denied) == denied);
  CHECK(in_a_row(not_asked, not_asked) == allowed);
}

}  // namespace
}  // namespace aquifer::ztunnel
