// HTTPRoutes -> chains: what they match, in which order, and what is done.
#include "tests/unit/config/manifests/l7/routing_fixtures.h"

#include <doctest/doctest.h>

namespace aquifer::manifests {
namespace {

using namespace test;
using std::chrono::milliseconds;
using std::chrono::seconds;

std::string rule(std::string_view name, std::string_view match, std::string_view more = "") {
  return fmt::format(
      "  - name: {}\n    matches: [{}]\n    backendRefs: [{{name: web-v1, port: 80}}]\n{}", name,
      match, more);
}

TEST_CASE("a mesh without routes has an empty book") {
  const Routing mesh(services_yaml());
  CHECK_FALSE(mesh.loaded().broken);
  CHECK(mesh.book().chains().empty());
}

TEST_CASE("a route splits requests by weight, and a port it does not name is left as it is") {
  const Routing mesh(services_yaml() + http_route("split", R"(  - name: canary
    backendRefs:
    - {name: web-v1, port: 80, weight: 90}
    - {name: web-v2, port: 80, weight: 10}
)"));
  INFO(mesh.loaded().text());
  REQUIRE(mesh.route({}) != nullptr);
  CHECK(backends_of(*mesh.route({})) == "web-v1:80*90, web-v2:80*10");
  CHECK(mesh.route({})->origin.to_string() == "HTTPRoute default/split rule 0 match 0");
  CHECK(mesh.chain(80)->protocol == l7::Protocol::http1);
  CHECK(mesh.chain(90) == nullptr);
  CHECK(mesh.loaded().diagnostics.empty());
}

TEST_CASE("a parent without a port means all ports, one with a section name that port") {
  const Routing all(services_yaml() + http_route("r", rule("a", "{}"), "default", "",
                                                 "{group: '', kind: Service, name: web}"));
  CHECK(all.chain(80) != nullptr);
  CHECK(all.chain(90) != nullptr);
  CHECK(all.chain(82) != nullptr);
  CHECK(all.chain(81) == nullptr);  // TCP by its name: nothing there to route
  const Routing one(services_yaml() +
                    http_route("r", rule("a", "{}"), "default", "",
                               "{group: '', kind: Service, name: web, sectionName: grpc}"));
  CHECK(one.chain(80) == nullptr);
  CHECK(one.chain(90) != nullptr);
}

TEST_CASE("a request that no rule matches gets no route, which is answered 404") {
  const Routing mesh(services_yaml() +
                     http_route("r", rule("a", "{path: {type: Exact, value: /a}}")));
  CHECK(mesh.name({.path = "/a"}) == "a");
  CHECK(mesh.name({.path = "/b"}) == "none");
}

TEST_CASE("a path prefix matches whole segments, with or without a slash at its end") {
  for (const std::string_view written : {"/a", "/a/"}) {
    const Routing mesh(services_yaml() +
                       http_route("r", rule("a", fmt::format("{{path: {{value: {}}}}}", written))));
    CHECK(mesh.name({.path = "/a"}) == "a");
    CHECK(mesh.name({.path = "/a/"}) == "a");
    CHECK(mesh.name({.path = "/a/b?x=/c"}) == "a");
    CHECK(mesh.name({.path = "/ab"}) == "none");
  }
}

TEST_CASE("a written path is compared in the spelling that requests are normalised to") {
  const Routing mesh(services_yaml() +
                     http_route("r", rule("a", "{path: {type: Exact, value: /caf%c3%a9/%41}}")));
  CHECK(mesh.name({.path = "/caf%C3%A9/A"}) == "a");
}

TEST_CASE(
    "matches go before each other as HTTPRouteRule.matches says, in whatever order they stand") {
  const std::string rules =
      rule("default", "{}") + rule("regex", "{path: {type: RegularExpression, value: /a.*}}") +
      rule("short", "{path: {value: /a}}") + rule("long", "{path: {value: /a/b}}") +
      rule("method", "{path: {value: /a/b}, method: GET}") +
      rule("one-header", "{path: {value: /a/b}, headers: [{name: x, value: y}]}") +
      rule("two-headers",
           "{path: {value: /a/b}, headers: [{name: x, value: y}, {name: z, value: w}]}") +
      rule("query", "{path: {value: /a/b}, queryParams: [{name: q, value: r}]}") +
      rule("exact", "{path: {type: Exact, value: /a/b}}");
  const Routing mesh(services_yaml() + http_route("r", rules));
  INFO(mesh.loaded().text());
  CHECK(mesh.name({.path = "/a/b"}) == "exact");
  CHECK(mesh.name({.path = "/a/b/c"}) == "method");
  CHECK(mesh.name({.path = "/a/b/c", .method = "PUT"}) == "long");
  CHECK(mesh.name({.path = "/a/b/c", .method = "PUT", .headers = {{"x", "y"}}}) == "one-header");
  CHECK(mesh.name({.path = "/a/b/c", .method = "PUT", .headers = {{"X", "y"}, {"Z", "w"}}}) ==
        "two-headers");
  // A method counts more than any number of headers, headers more than the query.
  CHECK(mesh.name({.path = "/a/b/c", .headers = {{"x", "y"}, {"z", "w"}}}) == "method");
  CHECK(mesh.name({.path = "/a/b/c?q=r", .method = "PUT"}) == "query");
  CHECK(mesh.name({.path = "/a/b/c?q=r", .method = "PUT", .headers = {{"x", "y"}}}) ==
        "one-header");
  CHECK(mesh.name({.path = "/a"}) == "short");
  CHECK(mesh.name({.path = "/other"}) == "default");
}

TEST_CASE(
    "of equal matches the older route wins, then the one that comes first by name, then by rule") {
  const auto two = [](std::string_view a_created, std::string_view b_created) {
    return Routing(services_yaml() +
                   http_route("a", rule("a", "{}") + rule("a2", "{}"), "default", a_created) +
                   http_route("b", rule("b", "{}"), "default", b_created));
  };
  CHECK(two("", "").name({}) == "a");
  CHECK(two("2024-02-02T00:00:00Z", "2024-01-01T00:00:00Z").name({}) == "b");
  CHECK(two("2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z").name({}) == "a");
}

TEST_CASE(
    "a rule with several matches applies when any of them matches, and all parts of one must") {
  const Routing mesh(services_yaml() + http_route("r", R"(  - name: either
    matches:
    - {path: {value: /x}, headers: [{name: a, value: "1"}, {name: A, value: "2"}]}
    - {path: {type: Exact, value: /y}, method: POST}
    backendRefs: [{name: web-v1, port: 80}]
)"));
  // Of two headers of one name only the first is looked at.
  CHECK(mesh.name({.path = "/x", .headers = {{"a", "1"}}}) == "either");
  CHECK(mesh.name({.path = "/x"}) == "none");
  CHECK(mesh.name({.path = "/y", .method = "POST"}) == "either");
  CHECK(mesh.name({.path = "/y"}) == "none");
  CHECK(mesh.route({.path = "/y", .method = "POST"})->origin.match == 1);
}

TEST_CASE("values may be regular expressions, which match the whole text") {
  const Routing mesh(
      services_yaml() +
      http_route(
          "r",
          rule(
              "a",
              R"({path: {type: RegularExpression, value: '/v[0-9]+'}, headers: [{name: x, type: RegularExpression, value: 'a|b'}], queryParams: [{name: q, type: RegularExpression, value: '[0-9]+'}]})")));
  CHECK(mesh.name({.path = "/v12?q=7", .headers = {{"x", "a"}}}) == "a");
  CHECK(mesh.name({.path = "/v12/x?q=7", .headers = {{"x", "a"}}}) == "none");
  CHECK(mesh.name({.path = "/v12?q=7", .headers = {{"x", "ab"}}}) == "none");
  CHECK(mesh.name({.path = "/v12?q=", .headers = {{"x", "a"}}}) == "none");
}

TEST_CASE("all filters of a rule come through, with what is removed first") {
  const Routing mesh(services_yaml() + http_route("r", R"(  - name: filtered
    filters:
    - type: RequestHeaderModifier
      requestHeaderModifier: {set: [{name: X-S, value: "1"}], add: [{name: x-a, value: b}], remove: [x-r]}
    - type: ResponseHeaderModifier
      responseHeaderModifier: {set: [{name: y, value: z}]}
    - type: URLRewrite
      urlRewrite: {hostname: Other.Example, path: {type: ReplacePrefixMatch, replacePrefixMatch: /new/}}
    - type: RequestMirror
      requestMirror: {backendRef: {name: shadow, port: 80}, percent: 42}
    - type: RequestMirror
      requestMirror: {backendRef: {name: shadow, port: 90}, fraction: {numerator: 1, denominator: 1000}}
    - type: CORS
      cors: {allowOrigins: ["https://a.example", "https://*.b.example"], allowMethods: [GET], allowCredentials: true}
    backendRefs:
    - name: web-v1
      port: 80
      filters: [{type: RequestHeaderModifier, requestHeaderModifier: {add: [{name: v, value: "1"}]}}]
    timeouts: {request: 10s, backendRequest: 1500ms}
    retry: {codes: [500, 503], attempts: 3, backoff: 100ms}
    sessionPersistence: {sessionName: sid, type: Cookie, absoluteTimeout: 1h, cookieConfig: {lifetimeType: Permanent}}
)"));
  INFO(mesh.loaded().text());
  CHECK(mesh.loaded().diagnostics.empty());
  const l7::RoutePtr route = mesh.route({});
  REQUIRE(route != nullptr);
  using How = l7::HeaderChange::How;
  CHECK(route->request_headers == l7::HeaderChanges{{How::remove, "x-r", ""},
                                                    {How::set, "x-s", "1"},
                                                    {How::add, "x-a", "b"}});
  CHECK(route->response_headers == l7::HeaderChanges{{How::set, "y", "z"}});
  const auto& forward = std::get<l7::Forward>(route->action);
  CHECK(forward.authority == "other.example");
  CHECK(forward.path.kind == l7::PathRewrite::Kind::prefix);
  CHECK(forward.path.text == "/new");
  CHECK(forward.clusters[0].request_headers == l7::HeaderChanges{{How::add, "v", "1"}});
  REQUIRE(route->mirrors.size() == 2);
  CHECK(route->mirrors[0].cluster == "default/shadow.default.svc.cluster.local:80");
  CHECK(route->mirrors[0].millionths == 420'000);
  CHECK(route->mirrors[1].millionths == 1'000);
  REQUIRE(route->cors);
  CHECK(route->cors->origins[0].matches("https://a.example"));
  CHECK(route->cors->origins[1].matches("https://x.y.b.example"));
  CHECK_FALSE(route->cors->origins[1].matches("https://xbb.example"));
  CHECK_FALSE(route->cors->origins[1].matches("https://b.example"));
  CHECK(route->cors->max_age == seconds(5));
  CHECK(route->cors->credentials);
  CHECK(route->timeouts.request == seconds(10));
  CHECK(route->timeouts.backend == milliseconds(1500));
  REQUIRE(route->retry);
  CHECK(route->retry->attempts == 3);
  CHECK(route->retry->statuses == std::vector<int>{500, 503});
  CHECK(route->retry->backoff_base == milliseconds(100));
  CHECK(route->retry->backoff_max == seconds(1));
  CHECK(route->retry->per_try_timeout == milliseconds(1500));
  CHECK(route->retry->configured);
  CHECK(route->retry->has(l7::RetryOn::reset));
  REQUIRE(route->persistence);
  CHECK(route->persistence->name == "sid");
  CHECK(route->persistence->absolute_timeout == seconds(3600));
  CHECK(route->persistence->permanent_cookie);
}

TEST_CASE("a redirect carries scheme, host, port, path and status") {
  const Routing mesh(services_yaml() + http_route("r", R"(  - name: away
    matches: [{path: {value: /old}}]
    filters: [{type: RequestRedirect, requestRedirect: {scheme: https, hostname: new.example, port: 8443, statusCode: 308, path: {type: ReplaceFullPath, replaceFullPath: /new}}}]
)"));
  INFO(mesh.loaded().text());
  const auto redirect = std::get<l7::Redirect>(mesh.route({.path = "/old/x"})->action);
  CHECK(redirect.status == 308);
  CHECK(redirect.scheme == "https");
  CHECK(redirect.authority == "new.example");
  CHECK(redirect.port == 8443);
  CHECK(redirect.path.kind == l7::PathRewrite::Kind::full);
  CHECK(redirect.path.text == "/new");
}

TEST_CASE("a backend that is not there has its share answered 500, and others keep theirs") {
  const Routing mesh(services_yaml() + http_route("r", R"(  - name: half
    backendRefs:
    - {name: web-v1, port: 80}
    - {name: nobody, port: 80}
    - {name: web-v2, port: 8080}
    - {name: web-v2, namespace: shop, port: 80}
    - {group: example.com, kind: Bucket, name: b, port: 80}
)"));
  CHECK_FALSE(mesh.loaded().broken);
  CHECK(backends_of(*mesh.route({})) == "web-v1:80*1, !*1, !*1, !*1, !*1");
}

TEST_CASE("a rule without backends, and one with a filter that cannot be done, answer 500") {
  const Routing mesh(services_yaml() + http_route("r", R"(  - name: empty
    matches: [{path: {value: /a}}]
  - name: extension
    matches: [{path: {value: /b}}]
    filters: [{type: ExtensionRef, extensionRef: {group: example.com, kind: F, name: f}}]
    backendRefs: [{name: web-v1, port: 80}]
)"));
  INFO(mesh.loaded().text());
  CHECK_FALSE(mesh.loaded().broken);
  for (const std::string_view path : {"/a", "/b"}) {
    const l7::RoutePtr route = mesh.route({.path = std::string(path)});
    REQUIRE(route != nullptr);
    CHECK(std::get<l7::DirectResponse>(route->action).status == 500);
  }
  CHECK(mentions(
      mesh.loaded(),
      "HTTPRoute default/r: spec.rules[1].filters[0].type: \"ExtensionRef\" is not supported"));
}

TEST_CASE(
    "routes of another namespace hold for its clients alone, and stand in place of the service's "
    "own") {
  const Routing mesh(services_yaml() + http_route("own", rule("producer", "{}")) +
                     http_route("theirs", rule("consumer", "{path: {value: /c}}"), "shop"));
  CHECK(mesh.name({.path = "/c"}) == "producer");
  CHECK(mesh.name({.path = "/c", .client_ns = "shop"}) == "consumer");
  // None of its own matches: 404, and not what the producer says.
  const l7::RoutePtr other = mesh.route({.path = "/other", .client_ns = "shop"});
  REQUIRE(other != nullptr);
  CHECK(std::get<l7::DirectResponse>(other->action).status == 404);
}

TEST_CASE(
    "clients of namespaces without routes of their own reach the service as if there were none") {
  const Routing mesh(services_yaml() + http_route("theirs", rule("consumer", "{}"), "shop"));
  CHECK(mesh.name({.client_ns = "shop"}) == "consumer");
  CHECK(mesh.name({}) == "default");
  CHECK(backends_of(*mesh.route({})) == "web:80*1");
}

TEST_CASE("backends of other namespaces need no grant: a mesh's route opens nothing") {
  const Routing mesh(
      services_yaml() +
      http_route("r", "  - backendRefs: [{name: web-v1, namespace: default, port: 80}]\n", "shop"));
  CHECK(backends_of(*mesh.route({.client_ns = "shop"})) == "web-v1:80*1");
}

TEST_CASE("what cannot be read is refused with its place, and what is not known is a warning") {
  const auto says_of = [](std::string_view rules) {
    return load_text(services_yaml() + http_route("r", rules)).text();
  };
  CHECK(says_of("  - matches: [{path: {type: Glob, value: /a}}]\n")
            .contains("spec.rules[0].matches[0].path.type: \"Glob\" is none: write Exact, "
                      "PathPrefix or RegularExpression"));
  CHECK(says_of("  - matches: [{path: {value: a}}]\n").contains("path.value: \"a\" is no path"));
  CHECK(says_of("  - matches: [{path: {value: '/a?b'}}]\n").contains("holds more than a path"));
  CHECK(says_of("  - matches: [{path: {type: RegularExpression, value: '(' }}]\n")
            .contains("is no regular expression (missing )"));
  CHECK(says_of("  - matches: [{method: get}]\n").contains("matches[0].method: \"get\" is none"));
  CHECK(
      says_of("  - timeouts: {request: 10}\n").contains("timeouts.request: \"10\" is no duration"));
  CHECK(says_of("  - timeouts: {request: 1s, backendRequest: 2s}\n")
            .contains("is longer than request"));
  CHECK(says_of("  - retry: {codes: [99]}\n").contains("retry.codes: \"99\" is none"));
  CHECK(says_of("  - matchs: []\n")
            .contains("warning: HTTPRoute default/r: spec.rules[0].matchs: no such field"));
  CHECK(says_of("  - filters: [{type: RequestMirror, requestMirror: {backendRef: {name: shadow, "
                "port: 80}, percent: 101}}]\n")
            .contains("percent: \"101\" is not a number from 0 to 100"));
}

}  // namespace
}  // namespace aquifer::manifests
