// What `check` finds in routes and traffic policies beyond what loading them says.
#include "config/manifests/lint/route_implies.h"
#include "tests/unit/config/manifests/l7/routing_fixtures.h"

#include <doctest/doctest.h>

namespace aquifer::manifests {
namespace {

using namespace test;

// Everything of namespace default stands behind a waypoint that is there.
std::string mesh_yaml() {
  return ns_yaml("default", "{istio.io/use-waypoint: wp}") + ns_yaml("shop") + R"(---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: wp, namespace: default}
spec:
  gatewayClassName: istio-waypoint
  listeners: [{name: mesh, port: 15008, protocol: HBONE}]
---
apiVersion: v1
kind: Service
metadata: {name: wp, namespace: default, labels: {gateway.networking.k8s.io/gateway-name: wp}}
spec: {clusterIP: 10.1.0.99, selector: {app: wp}, ports: [{name: mesh, port: 15008}]}
)" + pod_yaml("wp", "10.0.0.9", "labels: {app: wp}") +
         pod_yaml("web", "10.0.0.1", "labels: {app: web, v: one}") +
         service_yaml("web", "10.1.0.1", "{app: web}",
                      "[{name: http, port: 80}, {name: tcp-raw, port: 81}]");
}

std::string found(const std::string& more) {
  return findings(mesh_yaml() + more);
}

std::string rule(std::string_view match, std::string_view backend = "{name: web, port: 80}") {
  return fmt::format("  - matches: [{}]\n    backendRefs: [{}]\n", match, backend);
}

TEST_CASE("a mesh whose routes are right is told nothing of them") {
  const std::string text = found(http_route("r", rule("{path: {value: /a}}") + rule("{}")));
  CHECK_FALSE(text.contains("HTTPRoute"));
}

TEST_CASE("a route without a parent that is there is an error, with the nearest name") {
  const auto with_parent = [](std::string_view parent) {
    return found(http_route("r", rule("{}"), "default", "", parent));
  };
  CHECK(with_parent("{group: '', kind: Service, name: wbe}")
            .contains("spec.parentRefs[0].name: there is no Service default/wbe: the route has no "
                      "effect; write default/web"));
  CHECK(with_parent("{group: '', kind: Service, name: web, port: 8080}")
            .contains("spec.parentRefs[0].port: web.default.svc.cluster.local has no such port"));
  CHECK(with_parent("{name: wp}")
            .contains("Gateway default/wp is a waypoint, to which routes are not bound"));
  CHECK(
      with_parent("{group: '', kind: Pod, name: web}").contains("\"Pod\" is no parent of routes"));
  CHECK(with_parent("{kind: Service, name: web}")
            .contains("Service is of no group, and this is of \"gateway.networking.k8s.io\": write "
                      "group: \"\""));
  // A gateway at the edge is somebody else's.
  CHECK_FALSE(with_parent("{name: edge}").contains("HTTPRoute"));
}

TEST_CASE("a route for a service that no waypoint serves has no effect, and that is an error") {
  const std::string text = findings(services_yaml() + http_route("r", rule("{}")));
  CHECK(text.contains("no waypoint serves web.default.svc.cluster.local: the route has no effect"));
}

TEST_CASE("backends and their ports must be there, and some share must be above nothing") {
  const auto to = [](std::string_view backend) {
    return found(http_route("r", rule("{}", backend)));
  };
  CHECK(to("{name: nobody, port: 80}").contains("mesh.yaml:"));
  CHECK(to("{name: nobody, port: 80}")
            .contains("spec.rules[0].backendRefs[0]: there is no Service default/nobody"));
  CHECK(to("{name: web, port: 8080}")
            .contains("web.default.svc.cluster.local has no port 8080: write one of 80, 81"));
  CHECK(to("{name: web}").contains("the port is missing: write one of 80, 81"));
  CHECK(to("{name: web, port: 80, weight: 0}")
            .contains("spec.rules[0].backendRefs: all weights are 0"));
  CHECK(to("{kind: Bucket, group: x.example, name: b, port: 1}")
            .contains("\"Bucket\" of group \"x.example\" cannot be a backend"));
  CHECK(
      found(http_route("r", "  - matches: [{}]\n")).contains("has no backendRefs and no redirect"));
}

TEST_CASE("a backend of another namespace needs a grant only where a gateway has the same route") {
  const auto with = [](std::string_view parents, std::string_view grant) {
    return found(ns_yaml("other") +
                 service_yaml("x", "10.1.0.50", "{a: b}", "[{name: http, port: 80}]") +
                 object_yaml("gateway.networking.k8s.io/v1", "HTTPRoute", "r",
                             fmt::format("  parentRefs: [{}]\n  rules:\n{}", parents,
                                         rule("{}", "{name: web, namespace: default, port: 80}")),
                             "shop") +
                 std::string(grant));
  };
  constexpr std::string_view kMesh = "{group: '', kind: Service, name: web, namespace: default}";
  constexpr std::string_view kBoth =
      "{group: '', kind: Service, name: web, namespace: default}, {name: edge}";
  CHECK_FALSE(with(kMesh, "").contains("ReferenceGrant"));
  CHECK(with(kBoth, "").contains("no ReferenceGrant in namespace default allows it"));
  CHECK_FALSE(with(kBoth, R"(---
apiVersion: gateway.networking.k8s.io/v1beta1
kind: ReferenceGrant
metadata: {name: g, namespace: default}
spec: {from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: shop}], to: [{group: '', kind: Service}]}
)")
                  .contains("ReferenceGrant"));
}

TEST_CASE("a match that something before it takes whole is named, with what takes it") {
  const std::string text = found(http_route(
      "r", rule("{path: {value: /a}}") + rule("{path: {type: RegularExpression, value: '/x.*'}}") +
               rule("{}") + rule("{path: {value: /a}}")));
  CHECK(
      text.contains("spec.rules[3].matches[0]: is never taken: HTTPRoute default/r, rule 0, match "
                    "0 goes before it"));
  // Expressions go after all prefixes, of which "/" is one.
  CHECK(text.contains("spec.rules[1].matches[0]: is never taken: HTTPRoute default/r, rule 2"));
  CHECK_FALSE(text.contains("spec.rules[0].matches[0]"));
  CHECK_FALSE(text.contains("spec.rules[2].matches[0]"));
}

TEST_CASE("one match implies another only when every request of it does") {
  const auto match = [](l7::PathMatch::Kind kind, std::string_view text) {
    l7::RouteMatch made;
    made.path.kind = kind;
    made.path.text = text;
    return made;
  };
  using Kind = l7::PathMatch::Kind;
  CHECK(implies(match(Kind::exact, "/a/b"), match(Kind::segment_prefix, "/a")));
  CHECK_FALSE(implies(match(Kind::exact, "/ab"), match(Kind::segment_prefix, "/a")));
  CHECK(implies(match(Kind::exact, "/ab"), match(Kind::prefix, "/a")));
  CHECK(implies(match(Kind::segment_prefix, "/a"), match(Kind::prefix, "/a")));
  // "/ab" has the prefix, and no such segment.
  CHECK_FALSE(implies(match(Kind::prefix, "/a"), match(Kind::segment_prefix, "/a")));
  CHECK_FALSE(implies(match(Kind::segment_prefix, "/a"), match(Kind::exact, "/a")));
  CHECK(implies(match(Kind::regex, ""), match(Kind::segment_prefix, "")));
  l7::RouteMatch get = match(Kind::exact, "/a");
  get.method = "GET";
  CHECK(implies(get, match(Kind::exact, "/a")));
  CHECK_FALSE(implies(match(Kind::exact, "/a"), get));
}

TEST_CASE("a route of a kind that does not count at its port is told so") {
  const std::string tcp = object_yaml("gateway.networking.k8s.io/v1alpha2", "TCPRoute", "t",
                                      "  parentRefs: [{group: '', kind: Service, name: web, port: "
                                      "80}]\n  rules: [{backendRefs: [{name: web, port: 81}]}]\n");
  CHECK(
      found(tcp).contains("has no effect at port 80 of web.default.svc.cluster.local: its name or "
                          "appProtocol says HTTP/1.1"));
}

TEST_CASE("VirtualServices and DestinationRules without effect are named, and why") {
  const auto traffic = [](std::string_view kind, std::string_view spec) {
    return found(object_yaml("networking.istio.io/v1", kind, "x", spec));
  };
  CHECK(
      traffic("VirtualService", "  hosts: [nobody]\n")
          .contains("spec.hosts[0]: no service has the host \"nobody.default.svc.cluster.local\""));
  CHECK(traffic("DestinationRule", "  host: nobody\n")
            .contains("spec.host: no service has the host"));
  CHECK(traffic("VirtualService",
                "  hosts: [web]\n  http: [{route: [{destination: {host: web, subset: v9}}]}]\n")
            .contains("no DestinationRule for web.default.svc.cluster.local has a subset \"v9\""));
  const std::string subsets = traffic(
      "DestinationRule",
      "  host: web\n  subsets: [{name: v1, labels: {v: one}}, {name: v3, labels: {v: three}}]\n");
  CHECK(subsets.contains(
      "spec.subsets[1].labels: selects no endpoint of web.default.svc.cluster.local"));
  CHECK_FALSE(subsets.contains("spec.subsets[0]"));
  const std::string both =
      found(object_yaml("networking.istio.io/v1", "VirtualService", "x",
                        "  hosts: [web]\n  http: [{match: [{port: 80}], route: [{destination: "
                        "{host: web, port: {number: 80}}}]}]\n") +
            http_route("r", rule("{}")));
  CHECK(
      both.contains("VirtualService default/x: spec.hosts: has no effect: an older VirtualService "
                    "or a route of the Gateway API"));
}

}  // namespace
}  // namespace aquifer::manifests
