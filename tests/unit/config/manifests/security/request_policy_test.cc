// AuthorizationPolicy at a waypoint, from its manifest to its decision: Istio's written semantics,
// row by row, and what is said of mistakes.
#include "config/model/l7/security_decision.h"
#include "config/model/l7/security_miss.h"
#include "tests/unit/config/manifests/fixtures.h"

#include <doctest/doctest.h>

#include <array>
#include <initializer_list>

namespace aquifer::manifests {
namespace {

using namespace test;
using l7::SecurityReason;

constexpr std::string_view kWaypoint =
    "---\napiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\n"
    "metadata: {name: w, namespace: default}\n"
    "spec: {gatewayClassName: istio-waypoint, listeners: [{name: m, port: 15008, protocol: "
    "HBONE}]}\n";
constexpr std::string_view kGateway =
    "  targetRefs: [{kind: Gateway, group: gateway.networking.k8s.io, name: w}]\n";

// The head takes five lines, so that `spec` begins at line 6 of the file.
std::string policy_yaml(std::string_view spec,
                        std::string_view meta = "name: p, namespace: default") {
  return fmt::format(
      "---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata:\n  {{{}}}\n"
      "spec:\n{}\n",
      meta, spec);
}

// A GET of /api/items?q=1 at shop:80 by default/client from 10.0.0.1, and what is different.
struct Ask {
  std::string method = "GET";
  std::string path = "/api/items?q=1";
  std::string authority = "shop:80";
  HeaderFields headers;
  std::string identity = "spiffe://cluster.local/ns/default/sa/client";
  std::string source = "10.0.0.1";
  std::uint16_t port = 80;
  std::string server_name;
  std::optional<Claim> claims;
  std::string service = "default/shop.default.svc.cluster.local";
  std::string gateway = "default/w";
  bool http = true;
};

l7::SecurityVerdict decide(const l7::SecurityBook& book, const Ask& ask,
                           std::string* miss = nullptr) {
  const auto identity = SpiffeId::parse(ask.identity);
  const SocketAddress source{IpAddress::parse(ask.source).value(), 4000};
  const SocketAddress destination{IpAddress::parse("10.96.0.1").value(), ask.port};
  const l7::RequestView view{.method = ask.method,
                             .scheme = "http",
                             .authority = ask.authority,
                             .path = ask.path,
                             .headers = ask.headers,
                             .source = source,
                             .destination = destination,
                             .identity = identity ? &*identity : nullptr};
  l7::SecurityQuestion question = l7::question_about(view);
  if (!ask.http) {
    question.request = nullptr;
    question.remote = source.ip;
  }
  question.gateway = ask.gateway;
  question.service = ask.service;
  question.server_name = ask.server_name;
  question.claims = ask.claims ? &*ask.claims : nullptr;
  auto verdict = l7::authorize(book, question);
  if (miss != nullptr) *miss = l7::nearest_miss(book, question, verdict);
  return verdict;
}

Loaded load_policy(std::string_view spec) {
  return load_text(policy_yaml(std::string(kGateway) + std::string(spec)) + std::string(kWaypoint));
}

// Does an ALLOW policy with this one rule let it pass?
bool allows(std::string_view rule, const Ask& ask) {
  const Loaded mesh = load_policy(fmt::format("  rules:\n  - {}", rule));
  CAPTURE(mesh.text());
  REQUIRE_FALSE(mesh.broken);
  return decide(*mesh.state.books.security, ask).allowed();
}
bool denies(std::string_view rule, const Ask& ask) {
  const Loaded mesh = load_policy(fmt::format("  action: DENY\n  rules:\n  - {}", rule));
  CAPTURE(mesh.text());
  REQUIRE_FALSE(mesh.broken);
  return decide(*mesh.state.books.security, ask).reason == SecurityReason::denied;
}

Claim claims_of(std::string_view issuer, std::string_view subject) {
  Claim claims{Claim::Kind::object, {}, {}, {}};
  claims.parts.push_back(Claim::of_text("iss", std::string(issuer)));
  claims.parts.push_back(Claim::of_text("sub", std::string(subject)));
  return claims;
}

struct Row {
  std::string_view rule;
  bool yes;
};

template <std::size_t N>
void check_rows(const std::array<Row, N>& rows, const Ask& ask) {
  for (const Row& row : rows) {
    CAPTURE(row.rule);
    CHECK(allows(row.rule, ask) == row.yes);
    CHECK(denies(row.rule, ask) == row.yes);
  }
}

TEST_CASE("operations: exact, prefix, suffix and presence, and their negations") {
  check_rows(
      std::array{
          Row{"{to: [{operation: {methods: [GET]}}]}", true},
          Row{"{to: [{operation: {methods: [POST]}}]}", false},
          Row{"{to: [{operation: {methods: [get]}}]}", false},
          Row{"{to: [{operation: {methods: ['*']}}]}", true},
          Row{"{to: [{operation: {notMethods: [POST]}}]}", true},
          Row{"{to: [{operation: {notMethods: [G*]}}]}", false},
          Row{"{to: [{operation: {paths: [/api/items]}}]}", true},
          Row{"{to: [{operation: {paths: ['/api/items?q=1']}}]}", false},
          Row{"{to: [{operation: {paths: [/api]}}]}", false},
          Row{"{to: [{operation: {paths: [/api*]}}]}", true},
          Row{"{to: [{operation: {paths: ['*/items']}}]}", true},
          Row{"{to: [{operation: {paths: ['*']}}]}", true},
          Row{"{to: [{operation: {paths: ['/{*}/items']}}]}", true},
          Row{"{to: [{operation: {paths: ['/{*}']}}]}", false},
          Row{"{to: [{operation: {paths: ['/api/{**}']}}]}", true},
          Row{"{to: [{operation: {notPaths: ['/api/{**}']}}]}", false},
          Row{"{to: [{operation: {notPaths: [/admin]}}]}", true},
          Row{"{to: [{operation: {hosts: [SHOP:80]}}]}", true},
          Row{"{to: [{operation: {hosts: [shop]}}]}", false},
          Row{"{to: [{operation: {hosts: [Shop*]}}]}", true},
          Row{"{to: [{operation: {hosts: ['*:80']}}]}", true},
          Row{"{to: [{operation: {notHosts: ['*']}}]}", false},
          Row{"{to: [{operation: {ports: ['80']}}]}", true},
          Row{"{to: [{operation: {ports: ['81']}}]}", false},
          Row{"{to: [{operation: {notPorts: ['80']}}]}", false},
          // All fields of one operation together; one of several operations.
          Row{"{to: [{operation: {methods: [GET], paths: [/admin]}}]}", false},
          Row{"{to: [{operation: {paths: [/admin]}}, {operation: {methods: [GET]}}]}", true},
          Row{"{}", true},
      },
      Ask{});
}

TEST_CASE("sources: identities, namespaces, service accounts and addresses") {
  Ask ask;
  ask.headers.add("x-forwarded-for", "203.0.113.9, 198.51.100.7");
  check_rows(
      std::array{
          Row{"{from: [{source: {principals: [cluster.local/ns/default/sa/client]}}]}", true},
          Row{"{from: [{source: {principals: ['*/sa/client']}}]}", true},
          Row{"{from: [{source: {principals: [cluster.local/ns/def*]}}]}", true},
          Row{"{from: [{source: {principals: ['*']}}]}", true},
          Row{"{from: [{source: {principals: [cluster.local/ns/default/sa/cli]}}]}", false},
          Row{"{from: [{source: {notPrincipals: ['*/sa/client']}}]}", false},
          Row{"{from: [{source: {notPrincipals: ['*/sa/evil']}}]}", true},
          Row{"{from: [{source: {namespaces: [default]}}]}", true},
          Row{"{from: [{source: {namespaces: [def]}}]}", false},
          Row{"{from: [{source: {namespaces: [def*]}}]}", true},
          Row{"{from: [{source: {namespaces: ['d*t']}}]}", true},
          Row{"{from: [{source: {namespaces: ['d*x']}}]}", false},
          Row{"{from: [{source: {notNamespaces: [default]}}]}", false},
          Row{"{from: [{source: {serviceAccounts: [client]}}]}", true},
          Row{"{from: [{source: {serviceAccounts: [other/client]}}]}", false},
          Row{"{from: [{source: {notServiceAccounts: [default/client]}}]}", false},
          // The connection's address, and the last one of x-forwarded-for.
          Row{"{from: [{source: {ipBlocks: [10.0.0.0/24]}}]}", true},
          Row{"{from: [{source: {ipBlocks: [198.51.100.7]}}]}", false},
          Row{"{from: [{source: {remoteIpBlocks: [198.51.100.7]}}]}", true},
          Row{"{from: [{source: {remoteIpBlocks: [203.0.113.9]}}]}", false},
          Row{"{from: [{source: {remoteIpBlocks: [10.0.0.0/24]}}]}", false},
          Row{"{from: [{source: {notRemoteIpBlocks: [198.51.100.0/24]}}]}", false},
          Row{"{from: [{source: {requestPrincipals: ['*']}}]}", false},
          Row{"{from: [{source: {notRequestPrincipals: ['*']}}]}", true},
      },
      ask);
}

TEST_CASE("without an identity nothing that asks for one matches, and what must not be one does") {
  Ask ask;
  ask.identity.clear();
  check_rows(std::array{Row{"{from: [{source: {principals: ['*']}}]}", false},
                        Row{"{from: [{source: {notPrincipals: ['*']}}]}", true},
                        Row{"{from: [{source: {namespaces: ['*']}}]}", false},
                        Row{"{from: [{source: {notNamespaces: ['*']}}]}", true},
                        Row{"{from: [{source: {serviceAccounts: [client]}}]}", false},
                        Row{"{from: [{source: {remoteIpBlocks: [10.0.0.0/24]}}]}", true}},
             ask);
}

TEST_CASE("a CONNECT has no path, so nothing about paths matches it") {
  Ask ask;
  ask.method = "CONNECT";
  ask.path.clear();
  check_rows(std::array{Row{"{to: [{operation: {paths: ['*']}}]}", false},
                        Row{"{to: [{operation: {notPaths: ['*']}}]}", true},
                        Row{"{to: [{operation: {paths: ['/{**}']}}]}", false},
                        Row{"{to: [{operation: {methods: [CONNECT]}}]}", true}},
             ask);
}

TEST_CASE("request principals are ISSUER/SUBJECT, parted at the last slash") {
  Ask ask;
  ask.claims = claims_of("https://issuer.example/x", "alice");
  check_rows(
      std::array{
          Row{"{from: [{source: {requestPrincipals: ['*']}}]}", true},
          Row{"{from: [{source: {requestPrincipals: ['https://issuer.example/x/alice']}}]}", true},
          Row{"{from: [{source: {requestPrincipals: ['https://issuer.example/x/*']}}]}", true},
          Row{"{from: [{source: {requestPrincipals: ['https://issuer.example/x/ali*']}}]}", true},
          Row{"{from: [{source: {requestPrincipals: ['https://issuer.example/*']}}]}", false},
          Row{"{from: [{source: {requestPrincipals: ['*/alice']}}]}", true},
          Row{"{from: [{source: {requestPrincipals: ['*.example/x/alice']}}]}", true},
          Row{"{from: [{source: {requestPrincipals: ['*/bob']}}]}", false},
          Row{"{from: [{source: {requestPrincipals: ['*ice']}}]}", true},
          Row{"{from: [{source: {notRequestPrincipals: ['*/alice']}}]}", false},
          Row{"{when: [{key: request.auth.principal, values: ['*/alice']}]}", true},
          Row{"{when: [{key: 'request.auth.claims[iss]', values: ['https://issuer*']}]}", true},
      },
      ask);
  // A subject without an issuer is nobody's.
  ask.claims = claims_of("", "alice");
  CHECK_FALSE(allows("{from: [{source: {requestPrincipals: ['*']}}]}", ask));
}

TEST_CASE("when: every attribute of Istio's list") {
  Ask ask;
  ask.headers.add("X-Team", "blue");
  ask.headers.add("x-many", "a");
  ask.headers.add("x-many", "b");
  ask.server_name = "shop.example";
  Claim claims = claims_of("i", "s");
  Claim list{Claim::Kind::list, "groups", {}, {}};
  list.parts.push_back(Claim::of_text("", "dev"));
  list.parts.push_back(Claim::of_text("", "ops"));
  Claim nested{Claim::Kind::object, "a", {}, {}};
  nested.parts.push_back(list);
  claims.parts.push_back(list);
  claims.parts.push_back(nested);
  claims.parts.push_back(Claim::of_text("aud", "me"));
  claims.parts.push_back(Claim::of_text("azp", "app"));
  claims.parts.push_back({Claim::Kind::number, "n", "7", {}});
  ask.claims = claims;
  check_rows(
      std::array{
          Row{"{when: [{key: 'request.headers[x-team]', values: [blue]}]}", true},
          Row{"{when: [{key: 'request.headers[X-TEAM]', values: [b*]}]}", true},
          Row{"{when: [{key: 'request.headers[x-team]', values: [red, green]}]}", false},
          Row{"{when: [{key: 'request.headers[x-team]', notValues: [blue]}]}", false},
          Row{"{when: [{key: 'request.headers[x-none]', values: ['*']}]}", false},
          Row{"{when: [{key: 'request.headers[x-none]', notValues: ['*']}]}", true},
          Row{"{when: [{key: 'request.headers[x-many]', values: ['a,b']}]}", true},
          Row{"{when: [{key: 'request.headers[x-many]', values: [a]}]}", false},
          Row{"{when: [{key: source.ip, values: [10.0.0.1]}]}", true},
          Row{"{when: [{key: remote.ip, values: [10.0.0.1]}]}", true},
          Row{"{when: [{key: source.namespace, values: [default]}]}", true},
          Row{"{when: [{key: source.principal, notValues: ['*/sa/client']}]}", false},
          Row{"{when: [{key: source.serviceAccount, values: [client]}]}", true},
          Row{"{when: [{key: request.auth.audiences, values: [you, me]}]}", true},
          Row{"{when: [{key: request.auth.presenter, values: [app]}]}", true},
          Row{"{when: [{key: 'request.auth.claims[groups]', values: [dev]}]}", true},
          Row{"{when: [{key: 'request.auth.claims[groups]', values: [de*]}]}", true},
          Row{"{when: [{key: 'request.auth.claims[groups]', notValues: [ops]}]}", false},
          Row{"{when: [{key: 'request.auth.claims[a][groups]', values: [ops]}]}", true},
          Row{"{when: [{key: 'request.auth.claims[a][none]', values: ['*']}]}", false},
          Row{"{when: [{key: 'request.auth.claims[n]', values: ['7']}]}", false},
          Row{"{when: [{key: destination.ip, values: [10.96.0.0/16]}]}", true},
          Row{"{when: [{key: destination.port, values: ['80']}]}", true},
          Row{"{when: [{key: connection.sni, values: [shop.example]}]}", true},
          Row{"{when: [{key: connection.sni, notValues: ['*.example']}]}", false},
          // Every condition, and `to` beside them.
          Row{"{when: [{key: source.ip, values: [10.0.0.1]}, {key: destination.port, values: "
              "['81']}]}",
              false},
          Row{"{to: [{operation: {methods: [POST]}}, {operation: {methods: [GET]}}], when: [{key: "
              "destination.port, values: ['80']}]}",
              true},
      },
      ask);
}

TEST_CASE(
    "connections that are not HTTP: DENY rules lose what they ask of requests, ALLOW rules "
    "that ask it match nothing") {
  Ask tcp;
  tcp.http = false;
  struct TcpRow {
    std::string_view rule;
    bool denied;
    bool allowed;
  };
  for (const TcpRow& row : {
           TcpRow{"{to: [{operation: {methods: [POST]}}]}", true, false},
           TcpRow{"{to: [{operation: {notPaths: [/x]}}]}", true, false},
           TcpRow{"{to: [{operation: {paths: [/x], ports: ['80']}}]}", true, false},
           TcpRow{"{to: [{operation: {paths: [/x], ports: ['81']}}]}", false, false},
           TcpRow{"{to: [{operation: {paths: [/x]}}, {operation: {ports: ['81']}}]}", true, false},
           TcpRow{"{from: [{source: {requestPrincipals: ['*']}}]}", true, false},
           TcpRow{"{when: [{key: 'request.headers[a]', values: [b]}]}", true, false},
           TcpRow{"{from: [{source: {principals: ['*/sa/other']}}], to: [{operation: {paths: "
                  "[/x]}}]}",
                  false, false},
           TcpRow{"{from: [{source: {principals: ['*/sa/client']}}]}", true, true},
           TcpRow{"{to: [{operation: {ports: ['80']}}]}", true, true},
           TcpRow{"{from: [{source: {remoteIpBlocks: [10.0.0.1]}}]}", true, true},
       }) {
    CAPTURE(row.rule);
    CHECK(denies(row.rule, tcp) == row.denied);
    CHECK(allows(row.rule, tcp) == row.allowed);
  }
}

TEST_CASE("the order of actions: CUSTOM, DENY, ALLOW; without ALLOW policies everything passes") {
  const auto reason = [](std::string_view more) {
    const Loaded mesh = load_text(std::string(more) + std::string(kWaypoint));
    CAPTURE(mesh.text());
    REQUIRE_FALSE(mesh.broken);
    return decide(*mesh.state.books.security, {}).reason;
  };
  const auto policy = [](std::string_view name, std::string_view action, std::string_view rules) {
    return policy_yaml(fmt::format("{}  action: {}\n  rules: {}", kGateway, action, rules),
                       fmt::format("name: {}, namespace: default", name));
  };
  const std::string allow = policy("a", "ALLOW", "[{}]");
  const std::string allow_none = policy("n", "ALLOW", "[]");
  const std::string deny = policy("d", "DENY", "[{}]");
  const std::string deny_none = policy("e", "DENY", "[]");
  const std::string audit = policy("l", "AUDIT", "[{}]");
  const std::string custom = policy("c", "CUSTOM\n  provider: {name: x}", "[{}]");
  CHECK(reason("") == SecurityReason::no_policies);
  CHECK(reason(allow) == SecurityReason::allowed);
  CHECK(reason(allow_none) == SecurityReason::none_allowed);
  CHECK(reason(allow + allow_none) == SecurityReason::allowed);
  CHECK(reason(allow + deny) == SecurityReason::denied);
  CHECK(reason(deny_none) == SecurityReason::no_policies);
  CHECK(reason(audit) == SecurityReason::no_policies);
  CHECK(reason(custom + allow + deny) == SecurityReason::not_asked);
}

TEST_CASE("targets: a Gateway, a service, all waypoints, and nobody else") {
  const std::string more = ns_yaml("default", "{istio.io/use-waypoint: w}") +
                           service_yaml("shop", "10.96.0.1", "{app: shop}", "[{port: 80}]") +
                           std::string(kWaypoint);
  const auto denied = [&](std::string_view targets, const Ask& ask,
                          std::string_view ns = "default") {
    const Loaded mesh = load_text(
        policy_yaml(fmt::format("  targetRefs: {}\n  action: DENY\n  rules: [{{}}]", targets),
                    fmt::format("name: p, namespace: {}", ns)) +
        more);
    CAPTURE(mesh.text());
    REQUIRE_FALSE(mesh.broken);
    return !decide(*mesh.state.books.security, ask).allowed();
  };
  Ask other_service;
  other_service.service = "default/other.default.svc.cluster.local";
  Ask other_gateway;
  other_gateway.gateway = "default/v";
  Ask workload;
  workload.service.clear();
  const char* service = "[{kind: Service, group: '', name: shop}]";
  CHECK(denied(service, {}));
  CHECK(denied(service, other_gateway));
  CHECK_FALSE(denied(service, other_service));
  CHECK_FALSE(denied(service, workload));
  const char* gateway = "[{kind: Gateway, group: gateway.networking.k8s.io, name: w}]";
  CHECK(denied(gateway, {}));
  CHECK(denied(gateway, workload));
  CHECK_FALSE(denied(gateway, other_gateway));
  CHECK_FALSE(denied(gateway, {}, "elsewhere"));
  const char* all =
      "[{kind: GatewayClass, group: gateway.networking.k8s.io, name: istio-waypoint}]";
  CHECK(denied(all, other_gateway, "istio-system"));
  CHECK_FALSE(denied(all, {}, "default"));
}

TEST_CASE("dry run decides nothing and says what it would do") {
  const Loaded mesh = load_text(
      policy_yaml(std::string(kGateway) + "  action: DENY\n  rules: [{to: [{operation: {methods: "
                                          "[GET]}}]}]",
                  "name: trial, namespace: default, annotations: {istio.io/dry-run: 'true'}") +
      std::string(kWaypoint));
  const auto verdict = decide(*mesh.state.books.security, {});
  CHECK(verdict.allowed());
  CHECK_FALSE(verdict.dry_run_allowed);
  REQUIRE(verdict.dry_run.size() == 1);
  CHECK(verdict.dry_run[0]->key() == "default/trial");
}

TEST_CASE("a refusal names its policy and rule as Istio does, and the nearest way to pass") {
  const Loaded deny = load_policy(
      "  action: DENY\n  rules: [{to: [{operation: {paths: [/x]}}]}, {to: [{operation: {methods: "
      "[GET, HEAD]}}]}]");
  std::string miss;
  const auto denied = decide(*deny.state.books.security, {}, &miss);
  CHECK(denied.details() == "rbac_access_denied_matched_policy[ns[default]-policy[p]-rule[1]]");
  CHECK(denied.refusal() == "explicitly denied by: default/p rule 1");
  CHECK(miss == "would pass if the method were not GET or HEAD");
  const Loaded allow = load_policy(
      "  rules: [{from: [{source: {principals: ['*/sa/web']}}], to: [{operation: {paths: [/api/*], "
      "methods: [POST]}}]}]");
  const auto none = decide(*allow.state.books.security, {}, &miss);
  CHECK(none.details() == "rbac_access_denied_matched_policy[none]");
  CHECK(miss == "would pass if the method were POST and the principal were */sa/web");
}

TEST_CASE("mistakes are said with file, line, object, field and the mend") {
  struct Mistake {
    std::string_view spec;
    std::string_view line;
  };
  for (const Mistake& one : {
           Mistake{"  rules: [{to: [{operation: {pathz: [/x]}}]}]", "pathz"},
           Mistake{"  rules: [{to: [{operation: {paths: ['/a{*}']}}]}]",
                   "mesh.yaml:8: AuthorizationPolicy default/p: "
                   "spec.rules[0].to[0].operation.paths: \"/a{*}\" is no template"},
           Mistake{"  rules: [{to: [{operation: {paths: ['']}}]}]",
                   "an empty text matches nothing"},
           Mistake{"  rules: [{to: []}]", "is an empty list: name at least one, or leave it out"},
           Mistake{"  rules: [{from: [{source: {}}]}]", "says nothing: write principals: [...]"},
           Mistake{"  rules: [{when: [{key: source.ip}]}]", "says nothing: write values: [...]"},
           Mistake{"  rules: [{when: [{key: experimental.envoy.filters.a, values: [b]}]}]",
                   "experimental attributes are those of Envoy's own filters"},
           Mistake{"  rules: [{when: [{key: 'request.headers[]', values: [b]}]}]",
                   "names no header field"},
           Mistake{"  rules: [{when: [{key: request.auth.claims, values: [b]}]}]",
                   "names no claim"},
           Mistake{"  rules: [{when: [{key: request.path, values: [b]}]}]",
                   "\"request.path\" is no attribute of Istio"},
           Mistake{"  action: REFUSE", "\"REFUSE\" is no action"},
           Mistake{"  rulez: []", "rulez"},
       }) {
    CAPTURE(one.spec);
    const Loaded mesh = load_policy(one.spec);
    CAPTURE(mesh.text());
    CHECK(mesh.broken);
    CHECK(mesh.text().contains(one.line));
  }
  for (const Mistake& one : {
           Mistake{"[{kind: Gateway, name: w}]", "\"\" is not the group of a Gateway"},
           Mistake{"[{kind: Pod, name: w}]", "\"Pod\" is nothing that a policy can be attached to"},
           Mistake{"[{kind: Service, name: w, namespace: other}]", "its own namespace default"},
       }) {
    CAPTURE(one.spec);
    const Loaded mesh = load_text(policy_yaml(fmt::format("  targetRefs: {}", one.spec)));
    CAPTURE(mesh.text());
    CHECK(mesh.broken);
    CHECK(mesh.text().contains(one.line));
  }
}

TEST_CASE("what has no effect, or refuses more than it seems, is warned of") {
  const auto warned = [](const Loaded& mesh, std::string_view text) {
    CAPTURE(mesh.text());
    CHECK_FALSE(mesh.broken);
    CHECK(mesh.text().contains(text));
  };
  warned(load_text(policy_yaml(kGateway)),
         "there is no waypoint default/w: the policy has NO EFFECT");
  warned(load_text(policy_yaml("  targetRefs: [{kind: Service, name: shop}]")),
         "there is no Service default/shop: the policy has NO EFFECT there");
  warned(load_text(policy_yaml("  targetRefs: [{kind: Service, name: shop}]") +
                   service_yaml("shop", "10.96.0.1", "{app: shop}", "[{port: 80}]")),
         "Service default/shop has no waypoint, so nobody enforces the policy there");
  warned(load_policy("  action: CUSTOM\n  provider: {name: x}\n  rules: [{}]"),
         "every request that the rules match is REFUSED");
  warned(load_policy("  rules: [{to: [{operation: {paths: [api]}}]}]"),
         "\"api\" matches NOTHING, since every path begins with /: write /api");
}

}  // namespace
}  // namespace aquifer::manifests
