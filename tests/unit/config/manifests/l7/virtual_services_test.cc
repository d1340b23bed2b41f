// VirtualServices -> chains, as far as Istio's waypoints honour them.
#include "tests/unit/config/manifests/l7/routing_fixtures.h"

#include <doctest/doctest.h>

namespace aquifer::manifests {
namespace {

using namespace test;
using std::chrono::milliseconds;
using std::chrono::seconds;

std::string virtual_service(std::string_view name, std::string_view spec,
                            std::string_view ns = "default", std::string_view created = "") {
  return object_yaml("networking.istio.io/v1", "VirtualService", name, spec, ns, created);
}

constexpr std::string_view kToV1 = "    route: [{destination: {host: web-v1}}]\n";

TEST_CASE("a VirtualService's rules are tried in the order in which they stand") {
  const Routing mesh(services_yaml() + virtual_service("vs", R"(  hosts: [web]
  http:
  - name: all-of-a
    match: [{uri: {prefix: /a}}]
    route: [{destination: {host: web-v1}}]
  - name: exact
    match: [{uri: {exact: /a/b}}]
    route: [{destination: {host: web-v2}}]
  - name: rest
    route:
    - {destination: {host: web-v1.default.svc.cluster.local, port: {number: 90}}, weight: 25}
    - {destination: {host: web-v2}, weight: 75}
)"));
  INFO(mesh.loaded().text());
  CHECK(mesh.loaded().diagnostics.empty());
  CHECK(mesh.name({.path = "/a/b"}) == "all-of-a");
  CHECK(mesh.name({.path = "/ab"}) == "all-of-a");  // a prefix of the text, not of segments
  CHECK(mesh.name({.path = "/"}) == "rest");
  // Who names no port means the one that the request came to.
  CHECK(backends_of(*mesh.route({.path = "/"})) == "web-v1:90*25, web-v2:80*75");
  CHECK(mesh.route({})->origin.to_string() == "VirtualService default/vs rule 2 match 0");
}

TEST_CASE("every kind of match of a VirtualService is read") {
  const Routing mesh(services_yaml() + virtual_service("vs", R"(  hosts: [web]
  http:
  - name: r
    match:
    - name: m
      uri: {regex: "/R/.*"}
      ignoreUriCase: true
      scheme: {exact: http}
      method: {regex: "GET|PUT"}
      authority: {prefix: WEB}
      headers: {x-a: {exact: "1"}, x-there: {}}
      withoutHeaders: {x-no: {}, x-not: {exact: "1"}}
      queryParams: {q: {prefix: b}}
      sourceNamespace: shop
    route: [{destination: {host: web-v1}}]
)"));
  INFO(mesh.loaded().text());
  CHECK(mesh.loaded().diagnostics.empty());
  const Asked good{.path = "/r/x?q=bb",
                   .method = "PUT",
                   .headers = {{"x-a", "1"}, {"x-there", ""}, {"x-not", "2"}},
                   .client_ns = "shop"};
  CHECK(mesh.name(good) == "r.m");
  const auto with = [&](auto&& change) {
    Asked other = good;
    change(other);
    return mesh.name(other);
  };
  CHECK(with([](Asked& a) { a.path = "/s/x?q=bb"; }) == "none");
  CHECK(with([](Asked& a) { a.path = "/r/x?q=c"; }) == "none");
  CHECK(with([](Asked& a) { a.method = "POST"; }) == "none");
  CHECK(with([](Asked& a) { a.authority = "other"; }) == "none");
  CHECK(with([](Asked& a) { a.client_ns = "default"; }) == "none");
  CHECK(with([](Asked& a) { a.headers.remove("x-there"); }) == "none");
  CHECK(with([](Asked& a) { a.headers.add("x-no", "1"); }) == "none");
  CHECK(with([](Asked& a) { a.headers.set("x-not", "1"); }) == "none");
  CHECK(with([](Asked& a) { a.headers.remove("x-not"); }) == "r.m");
}

TEST_CASE("a match for one port makes routes for that port alone") {
  const Routing mesh(services_yaml() + virtual_service("vs", R"(  hosts: [web]
  http:
  - name: only-90
    match: [{port: 90}]
    route: [{destination: {host: web-v1}}]
)"));
  CHECK(mesh.name({}, 90) == "only-90");
  CHECK(mesh.chain(80) == nullptr);
}

TEST_CASE("matches that no waypoint can ever see are left out, and with them their rule") {
  const Routing mesh(services_yaml() + virtual_service("vs", R"(  hosts: [web]
  gateways: [mesh, edge/gate]
  http:
  - name: labels
    match: [{sourceLabels: {app: x}}]
    route: [{destination: {host: web-v1}}]
  - name: edge
    match: [{gateways: [edge/gate]}]
    route: [{destination: {host: web-v1}}]
  - name: rest
    route: [{destination: {host: web-v2}}]
)"));
  CHECK(mesh.name({}) == "rest");
  CHECK(mentions(mesh.loaded(), "spec.http[0].match[0].sourceLabels: a waypoint does not know"));
}

TEST_CASE("redirects, direct responses and rewrites come through") {
  const Routing mesh(services_yaml() + virtual_service("vs", R"(  hosts: [web]
  http:
  - match: [{uri: {exact: /redirect}}]
    redirect: {uri: /x, authority: "Other:8080", redirectCode: 302, scheme: https}
  - match: [{uri: {exact: /direct}}]
    directResponse: {status: 503, body: {string: nope}}
  - match: [{uri: {prefix: /pre}}, {uri: {exact: /whole}}]
    rewrite: {uri: /post, authority: rewritten}
    route: [{destination: {host: web-v1}}]
  - match: [{uri: {prefix: /regex}}]
    rewrite: {uriRegexRewrite: {match: "^/regex/(.*)$", rewrite: "/v/\\1"}}
    route: [{destination: {host: web-v1}}]
)"));
  INFO(mesh.loaded().text());
  CHECK(mesh.loaded().diagnostics.empty());
  const auto redirect = std::get<l7::Redirect>(mesh.route({.path = "/redirect"})->action);
  CHECK(redirect.status == 302);
  CHECK(redirect.authority == "other");
  CHECK(redirect.port == 8080);
  CHECK(redirect.scheme == "https");
  CHECK(redirect.path.text == "/x");
  const auto direct = std::get<l7::DirectResponse>(mesh.route({.path = "/direct"})->action);
  CHECK(direct.status == 503);
  CHECK(direct.body == "nope");
  const auto prefix = std::get<l7::Forward>(mesh.route({.path = "/pre/x"})->action);
  CHECK(prefix.path.kind == l7::PathRewrite::Kind::prefix);
  CHECK(prefix.authority == "rewritten");
  const auto whole = std::get<l7::Forward>(mesh.route({.path = "/whole"})->action);
  CHECK(whole.path.kind == l7::PathRewrite::Kind::full);
  const auto regex = std::get<l7::Forward>(mesh.route({.path = "/regex/a"})->action);
  CHECK(regex.path.kind == l7::PathRewrite::Kind::regex);
  CHECK(regex.path.regex.replace_all("/regex/a", regex.path.text) == "/v/a");
}

TEST_CASE("retries, time-outs, faults, mirrors, CORS and header changes come through") {
  const Routing mesh(services_yaml() + virtual_service("vs", R"(  hosts: [web]
  http:
  - name: r
    timeout: 3s
    retries: {attempts: 2, perTryTimeout: 1s, retryOn: "5xx,reset,503, unavailable", backoff: 30ms, retryRemoteLocalities: true}
    fault:
      delay: {percentage: {value: 50}, fixedDelay: 1s}
      abort: {percentage: {value: 12.5}, httpStatus: 418}
    mirror: {host: shadow}
    mirrorPercentage: {value: 10}
    mirrors: [{destination: {host: web-v2}}]
    corsPolicy: {allowOrigins: [{exact: "https://a"}, {regex: "https://.*"}], maxAge: 24h, unmatchedPreflights: IGNORE}
    headers: {request: {set: {X-S: "1", ":authority": host.example}, add: {x-a: b}, remove: [x-r]}, response: {add: {y: z}}}
    route: [{destination: {host: web-v1}, headers: {request: {set: {v: "1"}}}}]
)"));
  INFO(mesh.loaded().text());
  CHECK(mesh.loaded().diagnostics.empty());
  const l7::RoutePtr route = mesh.route({});
  REQUIRE(route != nullptr);
  CHECK(route->timeouts.request == seconds(3));
  REQUIRE(route->retry);
  CHECK(route->retry->attempts == 2);
  CHECK(route->retry->per_try_timeout == seconds(1));
  CHECK(route->retry->statuses == std::vector<int>{503});
  CHECK(route->retry->has(l7::RetryOn::server_error));
  CHECK(route->retry->has(l7::RetryOn::reset));
  CHECK(route->retry->has(l7::RetryOn::grpc_unavailable));
  CHECK(route->retry->has(l7::RetryOn::retriable_status_codes));
  CHECK_FALSE(route->retry->has(l7::RetryOn::connect_failure));
  CHECK(route->retry->backoff_base == milliseconds(30));
  CHECK(route->retry->other_localities);
  REQUIRE(route->fault);
  CHECK(route->fault->delay_millionths == 500'000);
  CHECK(route->fault->delay == seconds(1));
  CHECK(route->fault->abort_millionths == 125'000);
  CHECK(route->fault->abort_status == 418);
  REQUIRE(route->mirrors.size() == 2);
  CHECK(route->mirrors[0].millionths == 100'000);
  CHECK(route->mirrors[1].millionths == l7::kWhole);
  REQUIRE(route->cors);
  CHECK(route->cors->max_age == seconds(86400));
  CHECK_FALSE(route->cors->forward_unmatched_preflights);
  using How = l7::HeaderChange::How;
  CHECK(route->request_headers == l7::HeaderChanges{{How::remove, "x-r", ""},
                                                    {How::set, "x-s", "1"},
                                                    {How::add, "x-a", "b"}});
  const auto& forward = std::get<l7::Forward>(route->action);
  CHECK(forward.authority == "host.example");
  CHECK(forward.clusters[0].request_headers == l7::HeaderChanges{{How::set, "v", "1"}});
}

TEST_CASE("a fault without a percentage hits nobody, and a gRPC status is known by its name") {
  const Routing mesh(services_yaml() + virtual_service("vs", R"(  hosts: [web]
  http:
  - fault: {abort: {grpcStatus: UNAVAILABLE}}
    route: [{destination: {host: web-v1}}]
)"));
  const l7::RoutePtr route = mesh.route({});
  REQUIRE(route != nullptr);
  CHECK(route->fault->abort_grpc_status == 14);
  CHECK(route->fault->abort_millionths == 0);
}

TEST_CASE(
    "of several VirtualServices of a host the exact one counts before a wildcard, then the older") {
  const auto rule = [](std::string_view name, std::string_view hosts) {
    return fmt::format("  hosts: [{}]\n  http:\n  - name: {}\n{}", hosts, name, kToV1);
  };
  const Routing mesh(
      services_yaml() +
      virtual_service("wild", rule("wild", "'*.default.svc.cluster.local'"), "default",
                      "2020-01-01T00:00:00Z") +
      virtual_service("young", rule("young", "web"), "default", "2024-01-01T00:00:00Z") +
      virtual_service("old", rule("old", "web.default.svc.cluster.local"), "shop",
                      "2023-01-01T00:00:00Z"));
  CHECK(mesh.name({}) == "old");
  REQUIRE(mesh.chain(80, "web-v2") != nullptr);
  CHECK(mesh.chain(80, "web-v2")->routes.routes()[0]->name == "wild");
}

TEST_CASE("a VirtualService that is not exported, or for gateways alone, is not seen") {
  const Routing hidden(services_yaml() +
                       virtual_service("vs",
                                       fmt::format("  hosts: [web.default.svc.cluster.local]\n  "
                                                   "exportTo: ['.']\n  http:\n  - name: x\n{}",
                                                   kToV1),
                                       "shop"));
  CHECK(hidden.chain() == nullptr);
  const Routing edge(
      services_yaml() +
      virtual_service(
          "vs",
          fmt::format("  hosts: [web]\n  gateways: [edge]\n  http:\n  - name: x\n{}", kToV1)));
  CHECK(edge.chain() == nullptr);
}

TEST_CASE("HTTPRoutes of a port leave a VirtualService no say there") {
  const Routing mesh(
      services_yaml() +
      virtual_service("vs", fmt::format("  hosts: [web]\n  http:\n  - name: vs\n{}", kToV1)) +
      http_route("route", "  - name: route\n    backendRefs: [{name: web-v1, port: 80}]\n"));
  CHECK(mesh.name({}) == "route");
  CHECK(mesh.name({}, 90) == "vs");
}

TEST_CASE("tcp and tls rules become connection routes of ports that are not HTTP") {
  const Routing mesh(services_yaml() + virtual_service("vs", R"(  hosts: [web]
  tls:
  - match: [{port: 443, sniHosts: [a.example]}]
    route: [{destination: {host: web-v1}}]
  tcp:
  - match: [{port: 81}]
    route: [{destination: {host: web-v1, port: {number: 81}}, weight: 1}, {destination: {host: web-v2, port: {number: 81}}, weight: 3}]
)"));
  INFO(mesh.loaded().text());
  CHECK(mesh.chain(80) == nullptr);
  REQUIRE(mesh.chain(81) != nullptr);
  const l7::TcpRoute* tcp = l7::tcp_route(*mesh.chain(81), "");
  REQUIRE(tcp != nullptr);
  CHECK(tcp->clusters.size() == 2);
  CHECK(tcp->clusters[1].weight == 3);
  REQUIRE(mesh.chain(443) != nullptr);
  CHECK(l7::tcp_route(*mesh.chain(443), "a.example") != nullptr);
  CHECK(l7::tcp_route(*mesh.chain(443), "b.example") == nullptr);
}

TEST_CASE("what cannot be done is said, and what cannot be meant is refused") {
  const auto says_of = [](std::string_view rule) {
    return load_text(services_yaml() +
                     virtual_service("vs", fmt::format("  hosts: [web]\n  http:\n{}", rule)))
        .text();
  };
  CHECK(
      says_of("  - delegate: {name: other}\n").contains("spec.http[0].delegate: is not supported"));
  CHECK(says_of("  - match: [{uri: {exact: /a, prefix: /b}}]\n")
            .contains("must be one of exact, prefix and regex"));
  CHECK(says_of("  - fault: {abort: {grpcStatus: NOPE, percentage: {value: 1}}}\n")
            .contains("\"NOPE\" is none"));
  CHECK(says_of("  - retries: {retryOn: sometimes}\n").contains("\"sometimes\" is not known"));
  CHECK(says_of("  - route: [{destination: {}}]\n").contains("route[0].destination.host: missing"));
  CHECK(says_of("  - fault: {abort: {percentage: {value: 101}, httpStatus: 500}}\n")
            .contains("\"101\" is not a number from 0 to 100"));
}

}  // namespace
}  // namespace aquifer::manifests
