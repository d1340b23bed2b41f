// GRPCRoutes, TCPRoutes and TLSRoutes, and which kind counts where several are bound to one port.
#include "tests/unit/config/manifests/l7/routing_fixtures.h"

#include <doctest/doctest.h>

namespace aquifer::manifests {
namespace {

using namespace test;

std::string route(std::string_view kind, std::string_view name, std::uint16_t port,
                  std::string_view rest, std::string_view ns = "default") {
  return object_yaml("gateway.networking.k8s.io/v1", kind, name,
                     fmt::format("  parentRefs: [{{group: '', kind: Service, name: web, namespace: "
                                 "default, port: {}}}]\n{}",
                                 port, rest),
                     ns);
}

std::string grpc_rule(std::string_view name, std::string_view match) {
  return fmt::format(
      "  - name: {}\n    matches: [{}]\n    backendRefs: [{{name: web-v1, port: 90}}]\n", name,
      match);
}

TEST_CASE("gRPC methods are paths, and longer names of services go first, then of methods") {
  const Routing mesh(
      services_yaml() +
      route(
          "GRPCRoute", "g", 90,
          "  rules:\n" + grpc_rule("all", "{}") + grpc_rule("method", "{method: {method: Get}}") +
              grpc_rule("service", "{method: {service: a.B}}") +
              grpc_rule(
                  "regex",
                  "{method: {type: RegularExpression, service: 'c\\.[A-Z]+', method: 'Do.*'}}") +
              grpc_rule("both", "{method: {service: a.B, method: Get}}") +
              grpc_rule("header",
                        "{method: {service: a.B, method: Get}, headers: [{name: x, value: y}]}")));
  INFO(mesh.loaded().text());
  CHECK(mesh.loaded().diagnostics.empty());
  CHECK(mesh.name({.path = "/a.B/Get"}, 90) == "both");
  CHECK(mesh.name({.path = "/a.B/Get", .headers = {{"x", "y"}}}, 90) == "header");
  CHECK(mesh.name({.path = "/a.B/Put"}, 90) == "service");
  CHECK(mesh.name({.path = "/a.BC/Put"}, 90) == "all");
  CHECK(mesh.name({.path = "/x.Y/Get"}, 90) == "method");
  CHECK(mesh.name({.path = "/c.XY/DoIt"}, 90) == "regex");
  CHECK(mesh.name({.path = "/cXY/DoIt"}, 90) == "all");
}

TEST_CASE("of several kinds on one port the gRPC routes count, then HTTP, TLS and TCP") {
  const std::string grpc = route("GRPCRoute", "g", 82, "  rules:\n" + grpc_rule("grpc", "{}"));
  const std::string http = route(
      "HTTPRoute", "h", 82, "  rules: [{name: http, backendRefs: [{name: web-v1, port: 80}]}]\n");
  const std::string tcp =
      route("TCPRoute", "t", 82, "  rules: [{backendRefs: [{name: web-v1, port: 81}]}]\n");
  CHECK(Routing(services_yaml() + tcp + http + grpc).name({}, 82) == "grpc");
  CHECK(Routing(services_yaml() + tcp + http).name({}, 82) == "http");
  CHECK(Routing(services_yaml() + tcp + http).chain(82)->tcp_routes.empty());
  // A port of unknown protocol with a TCPRoute alone is not looked into.
  CHECK(Routing(services_yaml() + tcp).chain(82)->protocol == l7::Protocol::tcp);
}

TEST_CASE("a TCPRoute splits connections, and does nothing on a port that says HTTP") {
  const std::string rules =
      "  rules: [{backendRefs: [{name: web-v1, port: 81, weight: 3}, {name: nobody, port: 81}]}]\n";
  const Routing mesh(services_yaml() + route("TCPRoute", "t", 81, rules));
  REQUIRE(mesh.chain(81) != nullptr);
  const l7::TcpRoute* found = l7::tcp_route(*mesh.chain(81), "");
  REQUIRE(found != nullptr);
  REQUIRE(found->clusters.size() == 2);
  CHECK(found->clusters[0].cluster == "default/web-v1.default.svc.cluster.local:81");
  CHECK(found->clusters[0].weight == 3);
  CHECK(found->clusters[1].cluster.empty());
  CHECK(Routing(services_yaml() + route("TCPRoute", "t", 80, rules)).chain(80) == nullptr);
}

TEST_CASE("a TLSRoute chooses by server name, the most specific first") {
  const auto tls = [](std::string_view name, std::string_view host, std::string_view backend) {
    return route(
        "TLSRoute", name, 443,
        fmt::format("  hostnames: ['{}']\n  rules: [{{backendRefs: [{{name: {}, port: 443}}]}}]\n",
                    host, backend));
  };
  const Routing mesh(services_yaml() + tls("wide", "*.Example", "web-v1") +
                     tls("exact", "a.example", "web-v2"));
  INFO(mesh.loaded().text());
  const auto cluster_for = [&](std::string_view name) -> std::string {
    const l7::TcpRoute* found = l7::tcp_route(*mesh.chain(443), name);
    return found == nullptr ? "none" : found->clusters.front().cluster;
  };
  CHECK(cluster_for("a.example").contains("web-v2"));
  CHECK(cluster_for("b.example").contains("web-v1"));
  CHECK(cluster_for("other") == "none");
}

TEST_CASE("TCPRoutes of another namespace hold for its clients alone") {
  const Routing mesh(
      services_yaml() +
      route("TCPRoute", "own", 81, "  rules: [{backendRefs: [{name: web-v1, port: 81}]}]\n") +
      route("TCPRoute", "theirs", 81,
            "  rules: [{backendRefs: [{name: web-v2, namespace: default, port: 81}]}]\n", "shop"));
  CHECK(l7::tcp_route(*mesh.chain(81), "", "shop")->clusters[0].cluster.contains("web-v2"));
  CHECK(l7::tcp_route(*mesh.chain(81), "", "default")->clusters[0].cluster.contains("web-v1"));
  CHECK(l7::tcp_route(*mesh.chain(81), "")->clusters[0].cluster.contains("web-v1"));
}

TEST_CASE("a ServiceEntry and a host name can be parents and backends, a Gateway cannot") {
  const std::string entry = R"(---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: out, namespace: default}
spec: {hosts: [api.example], addresses: [10.9.0.1], ports: [{number: 80, name: http, protocol: HTTP}], resolution: STATIC, endpoints: [{address: 10.9.9.9}]}
)";
  const auto bound = [&](std::string_view parent) {
    return Routing(services_yaml() + entry +
                   http_route("r",
                              "  - name: r\n    backendRefs: [{group: networking.istio.io, kind: "
                              "Hostname, name: api.example, port: 80}]\n",
                              "default", "", parent));
  };
  const Routing by_entry = bound("{group: networking.istio.io, kind: ServiceEntry, name: out}");
  INFO(by_entry.loaded().text());
  REQUIRE(by_entry.book().chain("default/api.example", 80) != nullptr);
  const l7::RoutePtr made = by_entry.book().chain("default/api.example", 80)->routes.routes()[0];
  CHECK(std::get<l7::Forward>(made->action).clusters[0].cluster == "default/api.example:80");
  CHECK(bound("{group: networking.istio.io, kind: Hostname, name: api.example}")
            .book()
            .chains()
            .size() == 1);
  CHECK(bound("{name: waypoint}").book().chains().empty());
}

}  // namespace
}  // namespace aquifer::manifests
