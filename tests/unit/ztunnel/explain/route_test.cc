// What `ztunnel explain` says of a request behind a waypoint: the route it takes, and why no other.
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

const std::string kMesh =
    ns_yaml("default", "{istio.io/dataplane-mode: ambient, istio.io/use-waypoint: w}") +
    pod_yaml("client", "10.0.0.1", "labels: {app: client}", "nodeName: n1, serviceAccountName: c") +
    pod_yaml("web", "10.0.0.2", "labels: {app: web}", "nodeName: n2, serviceAccountName: web") +
    pod_yaml("w", "10.0.0.9",
             "labels: {gateway.networking.k8s.io/gateway-name: w, istio.io/dataplane-mode: none}",
             "nodeName: n2, serviceAccountName: w") +
    R"(---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: w, namespace: default}
spec: {gatewayClassName: istio-waypoint, listeners: [{name: mesh, port: 15008, protocol: HBONE}]}
---
apiVersion: v1
kind: Service
metadata: {name: w, namespace: default, labels: {gateway.networking.k8s.io/gateway-name: w}}
spec: {clusterIP: 10.96.0.9, selector: {gateway.networking.k8s.io/gateway-name: w}, ports: [{name: mesh, port: 15008}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec: {clusterIP: 10.96.0.1, selector: {app: web}, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: new, namespace: default}
spec: {clusterIP: 10.96.0.2, selector: {app: web}, ports: [{name: http, port: 80}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: r, namespace: default}
spec:
  parentRefs: [{group: "", kind: Service, name: web, port: 80}]
  rules:
  - name: exact
    matches: [{path: {type: Exact, value: /a}}]
    filters: [{type: RequestRedirect, requestRedirect: {scheme: https, hostname: other.example, statusCode: 301}}]
  - name: canary
    matches: [{path: {value: /a}, headers: [{name: x-canary, value: "yes"}]}]
    filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /b}}}]
    backendRefs: [{name: web, port: 80, weight: 90}, {name: new, port: 80, weight: 10}, {name: gone, port: 80, weight: 0}]
    retry: {codes: [503], attempts: 3}
    timeouts: {request: 5s, backendRequest: 500ms}
  - name: rest
    matches: [{path: {value: /r}}]
    backendRefs: [{name: web, port: 80}]
)";

Explanation ask_for(std::string_view method, std::string_view path,
                    std::vector<std::pair<std::string, std::string>> headers = {}) {
  Question asked = test::question("default/client", "10.96.0.1:80");
  asked.http.method = method;
  asked.http.path = path;
  asked.http.headers = std::move(headers);
  return test::ask(asked, kMesh);
}

RouteStep step_for(std::string_view path,
                   std::vector<std::pair<std::string, std::string>> headers = {}) {
  const Explanation answer = ask_for("GET", path, std::move(headers));
  REQUIRE(answer.connections.size() == 1);
  REQUIRE(answer.connections.front().route.has_value());
  return *answer.connections.front().route;
}

TEST_CASE("explain names the route a request takes, its shares, and what it does on the way") {
  const RouteStep step = step_for("/a/x?q", {{"X-Canary", "yes"}});
  CHECK(step.route == "canary");
  CHECK(step.origin == "HTTPRoute default/r rule 1 match 0");
  CHECK(step.action == "forwards");
  CHECK(step.chain == "port 80 of web.default.svc.cluster.local, HTTP/1.1");
  REQUIRE(step.backends.size() == 3);
  CHECK(step.backends[0].cluster == "default/web.default.svc.cluster.local:80");
  CHECK(step.backends[0].weight == 90);
  CHECK(step.backends[0].total == 100);
  CHECK(step.backends[2].cluster.empty());
  CHECK(test::has_note(step.also, "the path becomes /b/x?q"));
  CHECK(test::has_note(step.also, "up to 3 retries on connect-failure"));
  CHECK(test::has_note(step.also, "503, each try at most 500 ms"));
  CHECK(test::has_note(step.also, "the whole request may take 5 s"));
}

TEST_CASE("explain says of each route before it which condition was not true") {
  const RouteStep step = step_for("/r");
  CHECK(step.route == "rest");
  REQUIRE(step.passed_over.size() == 2);
  CHECK(step.passed_over[0].route == "exact");
  CHECK(step.passed_over[0].why == "path \"/a\"");
  CHECK(step.passed_over[1].route == "canary");
  CHECK(step.passed_over[1].why == "path prefix \"/a\"");
  const RouteStep header = step_for("/a/x");
  CHECK(header.passed_over[1].why == "header x-canary: exact \"yes\"");
}

TEST_CASE("explain shows redirects, requests without a route, and paths that are refused") {
  CHECK(step_for("/a").action == "redirects with 301 to https://other.example/a");
  const RouteStep none = step_for("/none");
  CHECK(none.route.empty());
  CHECK(none.action == "no route matches: answers 404");
  CHECK(step_for("/a/../..").action.starts_with("answers 400: "));
  // The path is compared in the spelling that the waypoint compares.
  CHECK(step_for("/x/%2e%2e/a").route == "exact");
}

TEST_CASE("explain says nothing of routes to who asks about a connection alone") {
  const Explanation answer = test::ask(test::question("default/client", "10.96.0.1:80"), kMesh);
  CHECK_FALSE(answer.connections.front().route.has_value());
}

TEST_CASE("a route stands in the text and in the JSON of an explanation") {
  const Explanation answer = ask_for("GET", "/a", {{"x-canary", "yes"}});
  const std::string text = explanation_text(answer, Colour::off);
  CHECK(text.contains("route       exact: redirects with 301 to https://other.example/a\n"));
  CHECK(text.contains(
      "GET /a of a client of namespace default, at port 80 of web.default.svc.cluster.local"));
  const auto route = explanation_json(answer)["connections"][0]["route"];
  CHECK(route["route"] == "exact");
  CHECK(route["passedOver"].empty());
}

}  // namespace
}  // namespace aquifer::ztunnel
