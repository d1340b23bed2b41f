// What `ztunnel explain` says where a waypoint stands between: the verdict has both halves in it.
#include "tests/unit/ztunnel/explain/asking.h"
#include "ztunnel/explain/explain_json.h"
#include "ztunnel/explain/explain_text.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <string>

namespace aquifer::ztunnel {
namespace {

using manifests::test::ns_yaml;
using manifests::test::pod_yaml;
using test::ask;
using test::ask_one;
using test::has_note;
using test::question;

std::string waypoint(std::string_view name, std::string_view vip, std::string_view pod) {
  const std::string label = fmt::format("gateway.networking.k8s.io/gateway-name: {}", name);
  return fmt::format(
             "---\napiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\n"
             "metadata: {{name: {0}, namespace: default, labels: {{istio.io/waypoint-for: all}}}}\n"
             "spec: {{gatewayClassName: istio-waypoint, listeners: [{{name: mesh, port: 15008, "
             "protocol: HBONE}}]}}\n"
             "---\napiVersion: v1\nkind: Service\n"
             "metadata: {{name: {0}, namespace: default, labels: {{{1}}}}}\n"
             "spec: {{clusterIP: {2}, selector: {{{1}}}, ports: [{{name: mesh, port: 15008}}]}}\n",
             name, label, vip) +
         pod_yaml(name, pod, fmt::format("labels: {{{}, istio.io/dataplane-mode: none}}", label),
                  fmt::format("nodeName: n1, serviceAccountName: {}", name));
}

std::string db_service(std::string_view more = "", std::string_view selector = "app: db") {
  return fmt::format(
      "---\napiVersion: v1\nkind: Service\n"
      "metadata: {{name: db, namespace: default, labels: {{istio.io/use-waypoint: w{}}}, "
      "annotations: {{istio.io/use-waypoint-canary-weight: '25'}}}}\n"
      "spec: {{clusterIP: 10.96.0.1, selector: {{{}}}, ports: [{{port: 5432}}]}}\n",
      more, selector);
}

// Only those who name `principal` may reach the pods of `selector`.
std::string only(std::string_view principal, std::string_view selector = "app: db") {
  return fmt::format(
      "---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n"
      "metadata: {{name: only-{0}, namespace: default}}\n"
      "spec: {{action: ALLOW, selector: {{matchLabels: {{{1}}}}}, rules: [{{from: [{{source: "
      "{{principals: [cluster.local/ns/default/sa/{0}]}}}}]}}]}}\n",
      principal, selector);
}

const std::string kPods =
    ns_yaml("default", "{istio.io/dataplane-mode: ambient}") +
    pod_yaml("web", "10.0.0.1", "labels: {app: web}", "nodeName: n1, serviceAccountName: web") +
    pod_yaml("db-1", "10.0.0.2", "labels: {app: db, of: one}",
             "nodeName: n2, serviceAccountName: db") +
    pod_yaml("db-2", "10.0.0.3", "labels: {app: db, of: two}",
             "nodeName: n2, serviceAccountName: db") +
    waypoint("w", "10.96.0.8", "10.0.0.8");

constexpr const char* kDb = "10.96.0.1:5432";

TEST_CASE("what everybody behind a waypoint denies is denied") {
  const ConnectionStep denied = ask_one("default/web", kDb, kPods + db_service() + only("web"));
  CHECK(denied.endpoints.front().outcome == Outcome::allowed);
  REQUIRE(denied.behind.size() == 2);
  CHECK(denied.behind.front().outcome == Outcome::denied);
  CHECK(denied.outcome == Outcome::denied);
  // The waypoint's identity is the one that counts there.
  CHECK(ask_one("default/web", kDb, kPods + db_service() + only("w")).outcome == Outcome::allowed);
}

TEST_CASE("what some behind a waypoint deny is undecided, and said so") {
  const ConnectionStep mixed =
      ask_one("default/web", kDb, kPods + db_service() + only("web", "of: two"));
  CHECK(mixed.outcome == Outcome::undecided);
  CHECK(has_note(mixed.notes, "not the same for every endpoint"));
}

TEST_CASE("a workload's waypoint is followed by the workload's own verdict") {
  const std::string pod = pod_yaml("vm", "10.0.0.5", "labels: {app: vm, istio.io/use-waypoint: w}",
                                   "nodeName: n2, serviceAccountName: vm");
  const ConnectionStep denied =
      ask_one("default/web", "10.0.0.5:80", kPods + pod + only("web", "app: vm"));
  CHECK(denied.waypoint.via == "workload waypoint");
  CHECK(denied.outcome == Outcome::denied);
}

TEST_CASE("a waypoint with nobody behind it serves nobody") {
  const ConnectionStep none = ask_one("default/web", kDb, kPods + db_service("", "app: nobody"));
  CHECK(none.outcome == Outcome::fails);
  CHECK(has_note(none.notes, "no endpoint that it could choose"));
}

TEST_CASE("each of the waypoints that share the connections is looked at") {
  const std::string shared = kPods + db_service(", istio.io/use-waypoint-canary: v");
  const ConnectionStep gone = ask_one("default/web", kDb, shared);
  CHECK(gone.outcome == Outcome::undecided);
  CHECK(gone.failure.empty());
  CHECK(has_note(gone.notes, "waypoint default/w gets 75 of 100 connections: allowed"));
  CHECK(has_note(gone.notes,
                 "waypoint default/v gets 25 of 100 connections: fails: "
                 "unknown waypoint: default/v does not exist"));

  const std::string both = shared + waypoint("v", "10.96.0.9", "10.0.0.9");
  CHECK(ask_one("default/web", kDb, both).outcome == Outcome::allowed);
  const Explanation differ = ask(question("default/web", kDb), both + only("w"));
  CHECK(differ.outcome == Outcome::undecided);
  const ConnectionStep& connection = differ.connections.front();
  CHECK(has_note(connection.notes, "waypoint default/v gets 25 of 100 connections: denied"));
  REQUIRE(connection.behind.size() == 4);
  CHECK(connection.behind.front().waypoint == "default/w");
  CHECK(connection.behind.back().waypoint == "default/v");
  CHECK(explanation_json(differ)["connections"][0]["endpoints"][1]["waypoint"] == "default/v");
  CHECK(explanation_text(differ, Colour::off).contains("(through default/v)"));
}

TEST_CASE("waypoints that fail alike fail, with the reason") {
  std::string lost = kPods + db_service(", istio.io/use-waypoint-canary: v");
  lost.replace(lost.find("use-waypoint: w"), 15, "use-waypoint: u");
  const ConnectionStep both = ask_one("default/web", kDb, lost);
  CHECK(both.outcome == Outcome::fails);
  CHECK(both.failure == "unknown waypoint: default/u does not exist");
}

}  // namespace
}  // namespace aquifer::ztunnel
