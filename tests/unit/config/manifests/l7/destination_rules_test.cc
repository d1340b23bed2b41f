// DestinationRules -> clusters: which rule holds, what inherits what, who is in a subset.
#include "tests/unit/config/manifests/l7/routing_fixtures.h"

#include <doctest/doctest.h>

namespace aquifer::manifests {
namespace {

using namespace test;
using std::chrono::milliseconds;
using std::chrono::seconds;

std::string destination_rule(std::string_view name, std::string_view spec,
                             std::string_view ns = "default", std::string_view created = "") {
  return object_yaml("networking.istio.io/v1", "DestinationRule", name, spec, ns, created);
}

l7::ClusterPtr cluster(const Routing& mesh, std::string_view subset = "", std::uint16_t port = 80) {
  return mesh.book().cluster(
      l7::cluster_key("default", "web.default.svc.cluster.local", port, subset));
}

TEST_CASE("a service without a DestinationRule has no cluster in the book") {
  const Routing mesh(services_yaml() + destination_rule("dr", "  host: web\n"));
  CHECK(cluster(mesh) != nullptr);
  CHECK(mesh.book().cluster("default/web-v1.default.svc.cluster.local:80") == nullptr);
}

TEST_CASE("all settings of a trafficPolicy come through") {
  const Routing mesh(services_yaml() +
                     destination_rule("dr", R"(  host: web.default.svc.cluster.local
  trafficPolicy:
    loadBalancer:
      simple: ROUND_ROBIN
      warmup: {duration: 30s, minimumPercent: 5, aggression: 1.5}
    connectionPool:
      tcp: {maxConnections: 10, connectTimeout: 2s, maxConnectionDuration: 600s}
      http: {http1MaxPendingRequests: 5, http2MaxRequests: 7, maxRequestsPerConnection: 11, maxRetries: 4, idleTimeout: 30s, maxConcurrentStreams: 9}
    outlierDetection:
      {consecutive5xxErrors: 3, consecutiveGatewayErrors: 2, splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: 4, interval: 5s, baseEjectionTime: 15s, maxEjectionPercent: 50, minHealthPercent: 10}
    tls: {mode: SIMPLE, sni: web.example, subjectAltNames: [web.example], caCertificates: /etc/ca.pem}
    retryBudget: {percent: 12.5, minRetryConcurrency: 7}
)"));
  INFO(mesh.loaded().text());
  CHECK(mesh.loaded().diagnostics.size() == 1);
  CHECK(mentions(mesh.loaded(),
                 "spec.trafficPolicy.tls.mode: TLS to the endpoints themselves is not done"));
  const l7::ClusterPtr made = cluster(mesh);
  REQUIRE(made != nullptr);
  CHECK(made->balancing.kind == l7::BalancerKind::round_robin);
  CHECK(made->balancing.slow_start == seconds(30));
  CHECK(made->balancing.slow_start_min_percent == 5);
  CHECK(made->balancing.slow_start_aggression == 1.5);
  CHECK(made->balancing.panic_percent == 10);
  CHECK(made->balancing.prefer_near);
  CHECK(made->limits.connections_max == 10);
  CHECK(made->limits.connect_timeout == seconds(2));
  CHECK(made->limits.connection_age_max == seconds(600));
  CHECK(made->limits.pending_max == 5);
  CHECK(made->limits.requests_max == 7);
  CHECK(made->limits.requests_per_connection_max == 11);
  CHECK(made->limits.retries_max == 4);
  CHECK(made->limits.idle_timeout == seconds(30));
  CHECK(made->limits.streams_per_connection_max == 9);
  CHECK(made->limits.retry_budget_percent == 12.5);
  CHECK(made->limits.retry_budget_min == 7);
  REQUIRE(made->outlier);
  CHECK(made->outlier->consecutive_5xx == 3);
  CHECK(made->outlier->consecutive_gateway_errors == 2);
  CHECK(made->outlier->consecutive_local_failures == 4);
  CHECK(made->outlier->interval == seconds(5));
  CHECK(made->outlier->base_ejection == seconds(15));
  CHECK(made->outlier->ejected_percent_max == 50);
  CHECK(made->outlier->healthy_percent_min == 10);
  REQUIRE(made->tls);
  CHECK(made->tls->server_name == "web.example");
  CHECK(made->tls->ca_certificates == "/etc/ca.pem");
}

TEST_CASE("outlierDetection that says nothing ejects after five 5xx, as Envoy does") {
  const Routing mesh(
      services_yaml() +
      destination_rule("dr", "  host: web\n  trafficPolicy: {outlierDetection: {interval: 1s}}\n"));
  CHECK(cluster(mesh)->outlier->consecutive_5xx == 5);
  CHECK(cluster(mesh)->outlier->consecutive_gateway_errors == 0);
}

TEST_CASE("a subset's sections replace those of the rule, and a port's settings inherit nothing") {
  const Routing mesh(services_yaml() + destination_rule("dr", R"(  host: web
  trafficPolicy:
    loadBalancer: {simple: RANDOM}
    connectionPool: {tcp: {maxConnections: 10}}
    portLevelSettings:
    - {port: {number: 90}, loadBalancer: {consistentHash: {httpHeaderName: X-Hash, ringHash: {minimumRingSize: 128}}}}
  subsets:
  - {name: v1, labels: {v: one}, trafficPolicy: {loadBalancer: {consistentHash: {httpCookie: {name: c, ttl: 1h, path: /}, maglev: {}}}}}
)"));
  INFO(mesh.loaded().text());
  CHECK(cluster(mesh)->balancing.kind == l7::BalancerKind::random);
  CHECK(cluster(mesh)->limits.connections_max == 10);
  CHECK(cluster(mesh, "v1")->balancing.kind == l7::BalancerKind::maglev);
  CHECK(cluster(mesh, "v1")->balancing.hash[0].kind == l7::HashSource::Kind::cookie);
  CHECK(cluster(mesh, "v1")->balancing.hash[0].cookie_ttl == seconds(3600));
  CHECK(cluster(mesh, "v1")->limits.connections_max == 10);
  CHECK(cluster(mesh, "", 90)->balancing.kind == l7::BalancerKind::ring_hash);
  CHECK(cluster(mesh, "", 90)->balancing.hash[0].name == "x-hash");
  CHECK(cluster(mesh, "", 90)->balancing.ring_size_min == 128);
  CHECK(cluster(mesh, "", 90)->limits.connections_max == l7::PoolLimits::kUnlimited);
}

TEST_CASE("a subset is the service's endpoints that have all its labels") {
  const Routing mesh(services_yaml() + pod_yaml("one", "10.0.0.1", "labels: {app: web, v: one}") +
                     pod_yaml("two", "10.0.0.2", "labels: {app: web, v: two}") +
                     pod_yaml("other", "10.0.0.3", "labels: {app: other, v: one}") +
                     destination_rule("dr",
                                      "  host: web\n  subsets: [{name: v1, labels: {v: one}}, "
                                      "{name: none, labels: {v: three}}, {name: all}]\n"));
  REQUIRE(cluster(mesh, "v1") != nullptr);
  CHECK(cluster(mesh, "v1")->members == std::vector<std::string>{"Kubernetes//Pod/default/one"});
  CHECK(cluster(mesh, "none")->members == std::vector<std::string>{});
  CHECK_FALSE(cluster(mesh, "all")->members);
  CHECK_FALSE(cluster(mesh)->members);
}

TEST_CASE(
    "a route to a subset names its cluster, and one to a subset that is not there is answered "
    "500") {
  const Routing mesh(
      services_yaml() +
      destination_rule("dr", "  host: web\n  subsets: [{name: v1, labels: {v: one}}]\n") +
      object_yaml("networking.istio.io/v1", "VirtualService", "vs", R"(  hosts: [web]
  http:
  - route: [{destination: {host: web, subset: v1}, weight: 1}, {destination: {host: web, subset: v9}, weight: 1}]
)"));
  CHECK(backends_of(*mesh.route({})) == "web:80/v1*1, !*1");
}

TEST_CASE("the waypoint's namespace is asked for a rule before the service's and the root one") {
  const auto limit = [](std::string_view most) {
    return fmt::format(
        "  host: web.default.svc.cluster.local\n  trafficPolicy: {{connectionPool: {{tcp: "
        "{{maxConnections: {}}}}}}}\n",
        most);
  };
  const std::string root = destination_rule("root", limit("3"), "istio-system");
  const std::string own = destination_rule("own", limit("2"));
  const std::string private_one =
      destination_rule("own", limit("2") + "  exportTo: ['.']\n", "default");
  CHECK(cluster(Routing(services_yaml() + root))->limits.connections_max == 3);
  CHECK(cluster(Routing(services_yaml() + root + own))->limits.connections_max == 2);
  // A rule of a namespace that is none of these is not looked at.
  CHECK(cluster(Routing(services_yaml() + destination_rule("x", limit("9"), "shop"))) == nullptr);
  CHECK(cluster(Routing(services_yaml() + private_one))->limits.connections_max == 2);
}

TEST_CASE("several rules of one host are taken together: the older's policy, the subsets of all") {
  const Routing mesh(services_yaml() +
                     destination_rule("young",
                                      "  host: web\n  trafficPolicy: {loadBalancer: {simple: "
                                      "RANDOM}}\n  subsets: [{name: b}]\n",
                                      "default", "2024-01-01T00:00:00Z") +
                     destination_rule("old",
                                      "  host: web\n  trafficPolicy: {loadBalancer: {simple: "
                                      "ROUND_ROBIN}}\n  subsets: [{name: a}]\n",
                                      "default", "2023-01-01T00:00:00Z"));
  CHECK(cluster(mesh)->balancing.kind == l7::BalancerKind::round_robin);
  CHECK(cluster(mesh, "a") != nullptr);
  CHECK(cluster(mesh, "b") != nullptr);
}

TEST_CASE("a wildcard host holds for all that no rule names exactly, the longest first") {
  const auto simple = [](std::string_view host, std::string_view kind) {
    return fmt::format("  host: '{}'\n  trafficPolicy: {{loadBalancer: {{simple: {}}}}}\n", host,
                       kind);
  };
  const Routing mesh(
      services_yaml() + destination_rule("all", simple("*.local", "RANDOM")) +
      destination_rule("near", simple("*.default.svc.cluster.local", "ROUND_ROBIN")) +
      destination_rule("web", simple("web", "LEAST_REQUEST")));
  CHECK(cluster(mesh)->balancing.kind == l7::BalancerKind::least_request);
  CHECK(mesh.book().cluster("default/web-v1.default.svc.cluster.local:80")->balancing.kind ==
        l7::BalancerKind::round_robin);
}

TEST_CASE(
    "locality settings: distribution, failover, and near first only where failures are noticed") {
  const auto made = [](std::string_view policy) {
    return cluster(
        Routing(services_yaml() +
                destination_rule("dr", fmt::format("  host: web\n  trafficPolicy: {}\n", policy))));
  };
  CHECK_FALSE(made("{loadBalancer: {simple: RANDOM}}")->balancing.prefer_near);
  CHECK(made("{outlierDetection: {}}") != nullptr);
  CHECK_FALSE(
      made(
          "{outlierDetection: {interval: 1s}, loadBalancer: {localityLbSetting: {enabled: false}}}")
          ->balancing.prefer_near);
  const auto shares = made(
      "{loadBalancer: {localityLbSetting: {distribute: [{from: r1/*, to: {'r1/*': 80, 'r2/*': "
      "20}}]}}}");
  REQUIRE(shares->balancing.distribute.size() == 1);
  CHECK(shares->balancing.distribute[0].to.at("r2/*") == 20);
  const auto over = made(
      "{loadBalancer: {localityLbSetting: {failover: [{from: r1, to: r2}]}}, outlierDetection: "
      "{interval: 1s}}");
  CHECK(over->balancing.failover.at("r1") == "r2");
  CHECK(over->balancing.prefer_near);
}

TEST_CASE("what Istio has no word for stands in an annotation") {
  const Routing mesh(services_yaml() + R"(---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: dr, namespace: default, annotations: {aquifer.dev/load-balancer: EWMA}}
spec: {host: web}
)");
  CHECK(cluster(mesh)->balancing.kind == l7::BalancerKind::ewma);
}

TEST_CASE("settings that cannot be meant are refused, those without effect are named") {
  const auto says_of = [](std::string_view policy) {
    return load_text(
               services_yaml() +
               destination_rule("dr", fmt::format("  host: web\n  trafficPolicy: {}\n", policy)))
        .text();
  };
  CHECK(says_of("{loadBalancer: {simple: BEST}}")
            .contains("trafficPolicy.loadBalancer.simple: \"BEST\" is none"));
  CHECK(says_of("{loadBalancer: {consistentHash: {}}}").contains("must say by what is hashed"));
  CHECK(says_of("{loadBalancer: {consistentHash: {useSourceIp: true, maglev: {tableSize: 10}}}}")
            .contains("10 is no prime"));
  CHECK(says_of("{loadBalancer: {localityLbSetting: {distribute: [{from: a, to: {b: 50}}]}}}")
            .contains("the shares add up to 50"));
  CHECK(says_of("{tls: {mode: SIMPLE, credentialName: secret}}")
            .contains("tls.credentialName: Secrets are not read"));
  CHECK(says_of("{tls: {mode: MUTUAL}}").contains("MUTUAL without clientCertificate"));
  CHECK(says_of("{proxyProtocol: {version: V2}}")
            .contains("warning: DestinationRule default/dr: spec.trafficPolicy.proxyProtocol: is "
                      "not supported"));
  CHECK(says_of("{connectionPool: {tcp: {maxConections: 3}}}").contains("no such field"));
}

}  // namespace
}  // namespace aquifer::manifests
