// AuthorizationPolicy manifests: every field's translation, what happens to HTTP, and what is said
// of mistakes.
#include "tests/unit/config/manifests/fixtures.h"

#include <doctest/doctest.h>

namespace aquifer::manifests {
namespace {

using namespace test;
using model::AuthorizationAction;
using model::AuthorizationMatch;
using model::AuthorizationPolicyPtr;
using model::AuthorizationScope;
using model::StringMatch;
using enum model::StringMatch::Kind;

// The head takes five lines, so that `spec` begins at line 6 of the file.
std::string policy_yaml(std::string_view spec,
                        std::string_view meta = "name: p, namespace: default",
                        std::string_view version = "v1") {
  return fmt::format(
      "---\napiVersion: security.istio.io/{}\nkind: AuthorizationPolicy\n"
      "metadata:\n  {{{}}}\nspec:\n{}\n",
      version, meta, spec);
}

AuthorizationPolicyPtr policy_of(const Loaded& mesh, std::string_view key = "default/p") {
  return mesh.state.books.authorization->find(key);
}

// The one match of the one clause of the one rule.
AuthorizationMatch match_of(std::string_view rule) {
  const Loaded mesh = load_text(policy_yaml(fmt::format("  rules:\n  - {}", rule)));
  CAPTURE(mesh.text());
  CHECK(mesh.diagnostics.empty());
  const AuthorizationPolicyPtr policy = policy_of(mesh);
  REQUIRE(policy != nullptr);
  REQUIRE(policy->rules.size() == 1);
  REQUIRE(policy->rules[0].size() == 1);
  REQUIRE(policy->rules[0][0].size() == 1);
  return policy->rules[0][0][0];
}

Cidr cidr(std::string_view text) {
  return Cidr::parse(text).value();
}

TEST_CASE("sources: every field, its negation, and Istio's wildcards") {
  const auto from = [](std::string_view source) {
    return match_of(fmt::format("{{from: [{{source: {{{}}}}}]}}", source));
  };
  const std::vector<StringMatch> texts{
      {exact, "a"}, {prefix, "b-"}, {suffix, "-c"}, {presence, ""}};
  CHECK(from("principals: [a, b-*, '*-c', '*']").principals.any_of == texts);
  CHECK(from("notPrincipals: [a, b-*, '*-c', '*']").principals.none_of == texts);
  CHECK(from("namespaces: [a, b-*, '*-c', '*']").namespaces.any_of == texts);
  CHECK(from("notNamespaces: [a, b-*, '*-c', '*']").namespaces.none_of == texts);
  const std::vector<model::ServiceAccountMatch> accounts{{"ns", "sa"}, {"default", "own"}};
  CHECK(from("serviceAccounts: [ns/sa, own]").service_accounts.any_of == accounts);
  CHECK(from("notServiceAccounts: [ns/sa, own]").service_accounts.none_of == accounts);
  const std::vector<Cidr> networks{cidr("1.2.3.4/32"), cidr("5.6.0.0/16"), cidr("fd00::/8")};
  CHECK(from("ipBlocks: [1.2.3.4, 5.6.0.0/16, 'fd00::/8']").source_ips.any_of == networks);
  CHECK(from("notIpBlocks: [1.2.3.4, 5.6.0.0/16, 'fd00::/8']").source_ips.none_of == networks);
}

TEST_CASE("operations: ports are what layer 4 has, as numbers or as texts") {
  const std::vector<std::uint16_t> ports{80, 65535};
  CHECK(match_of("{to: [{operation: {ports: ['80', '65535']}}]}").destination_ports.any_of ==
        ports);
  CHECK(match_of("{to: [{operation: {ports: [80, 65535]}}]}").destination_ports.any_of == ports);
  CHECK(match_of("{to: [{operation: {notPorts: ['80', '65535']}}]}").destination_ports.none_of ==
        ports);
}

TEST_CASE("conditions: every key of layer 4 with its values and its exclusions") {
  const auto when = [](std::string_view key, std::string_view values) {
    return match_of(
        fmt::format("{{when: [{{key: {}, values: [{}], notValues: [{}]}}]}}", key, values, values));
  };
  const std::vector<Cidr> networks{cidr("10.0.0.1/32"), cidr("10.1.0.0/16")};
  const AuthorizationMatch source_ip = when("source.ip", "10.0.0.1, 10.1.0.0/16");
  CHECK(source_ip.source_ips.any_of == networks);
  CHECK(source_ip.source_ips.none_of == networks);
  const AuthorizationMatch destination_ip = when("destination.ip", "10.0.0.1, 10.1.0.0/16");
  CHECK(destination_ip.destination_ips.any_of == networks);
  CHECK(destination_ip.destination_ips.none_of == networks);
  const AuthorizationMatch port = when("destination.port", "80, '81'");
  CHECK(port.destination_ports.any_of == std::vector<std::uint16_t>{80, 81});
  CHECK(port.destination_ports.none_of == std::vector<std::uint16_t>{80, 81});
  const std::vector<StringMatch> texts{{exact, "a"}, {prefix, "b"}};
  CHECK(when("source.namespace", "a, b*").namespaces.any_of == texts);
  CHECK(when("source.namespace", "a, b*").namespaces.none_of == texts);
  CHECK(when("source.principal", "a, b*").principals.any_of == texts);
  CHECK(when("source.principal", "a, b*").principals.none_of == texts);
  const std::vector<model::ServiceAccountMatch> accounts{{"ns", "sa"}, {"default", "own"}};
  CHECK(when("source.serviceAccount", "ns/sa, own").service_accounts.any_of == accounts);
  CHECK(when("source.serviceAccount", "ns/sa, own").service_accounts.none_of == accounts);
}

TEST_CASE("from, to and each when are demands; entries of from and to are alternatives") {
  const Loaded mesh = load_text(policy_yaml(
      "  action: DENY\n"
      "  rules:\n"
      "  - from: [{source: {namespaces: [a]}}, {source: {ipBlocks: [10.0.0.0/8]}}]\n"
      "    to: [{operation: {ports: ['80']}}, {operation: {ports: ['81']}}]\n"
      "    when: [{key: source.namespace, values: [a]}, {key: destination.port, values: ['80']}]\n"
      "  - {}\n"));
  CAPTURE(mesh.text());
  CHECK(mesh.diagnostics.empty());
  const auto policy = policy_of(mesh);
  REQUIRE(policy != nullptr);
  CHECK(policy->action == AuthorizationAction::deny);
  REQUIRE(policy->rules.size() == 2);
  REQUIRE(policy->rules[0].size() == 4);
  CHECK(policy->rules[0][0].size() == 2);
  CHECK(policy->rules[0][1].size() == 2);
  CHECK(policy->rules[0][2].size() == 1);
  CHECK(policy->rules[0][3].size() == 1);
  CHECK(policy->rules[1].empty());
}

TEST_CASE("scope: a selector, the namespace, or the mesh from the root namespace") {
  const auto scope = [](std::string_view spec, std::string_view meta) {
    const Loaded mesh = load_text(policy_yaml(spec, meta));
    const std::string ns = meta.contains("istio-system") ? "istio-system" : "default";
    return policy_of(mesh, ns + "/p")->scope;
  };
  const std::string_view own = "name: p, namespace: default";
  const std::string_view root = "name: p, namespace: istio-system";
  CHECK(scope("  {}", own) == AuthorizationScope::ns);
  CHECK(scope("  {}", "name: p") == AuthorizationScope::ns);
  CHECK(scope("  selector: {}", own) == AuthorizationScope::ns);
  CHECK(scope("  selector: {matchLabels: {}}", own) == AuthorizationScope::ns);
  CHECK(scope("  selector: {matchLabels: {app: x}}", own) == AuthorizationScope::workload_selector);
  CHECK(scope("  {}", root) == AuthorizationScope::global);
  CHECK(scope("  selector: {matchLabels: {app: x}}", root) ==
        AuthorizationScope::workload_selector);
}

TEST_CASE("the root namespace is the mesh's own") {
  const std::string config =
      "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\n"
      "data: {mesh: 'rootNamespace: root'}\n";
  const Loaded mesh = load_text(config + policy_yaml("  {}", "name: p, namespace: root") +
                                policy_yaml("  {}", "name: p, namespace: istio-system"));
  CHECK(policy_of(mesh, "root/p")->scope == AuthorizationScope::global);
  CHECK(policy_of(mesh, "istio-system/p")->scope == AuthorizationScope::ns);
}

TEST_CASE("workloads bear the names of the policies that select them") {
  const auto policy = [](std::string_view name, std::string_view ns, std::string_view labels) {
    return policy_yaml(fmt::format("  selector: {{matchLabels: {}}}", labels),
                       fmt::format("name: {}, namespace: {}", name, ns));
  };
  const Loaded mesh = load_text(
      pod_yaml("web", "10.0.0.1", "labels: {app: web, tier: front}") +
      pod_yaml("db", "10.0.0.2", "labels: {app: db}") + policy("web", "default", "{app: web}") +
      policy("both", "default", "{app: web, tier: front}") +
      policy("neither", "default", "{app: web, tier: back}") +
      policy("elsewhere", "other", "{app: web}") + policy("mesh", "istio-system", "{app: web}"));
  CAPTURE(mesh.text());
  CHECK(mesh.workload("web")->authorization_policies ==
        std::vector<std::string>{"default/both", "default/web", "istio-system/mesh"});
  CHECK(mesh.workload("db")->authorization_policies.empty());
}

TEST_CASE("a policy without rules, or without a spec, denies everything") {
  const Loaded empty = load_text(policy_yaml("  {}"));
  CHECK(empty.diagnostics.empty());
  CHECK(policy_of(empty)->rules.empty());
  CHECK(policy_of(empty)->action == AuthorizationAction::allow);
  const Loaded none = load_text(
      "apiVersion: security.istio.io/v1beta1\nkind: AuthorizationPolicy\nmetadata: {name: p}\n");
  CHECK_FALSE(none.broken);
  CHECK(says(none,
             "mesh.yaml:1: warning: AuthorizationPolicy default/p: spec: missing, which means "
             "an ALLOW policy without rules: everything is DENIED; write spec: {} if that is "
             "meant"));
  CHECK(policy_of(none)->rules.empty());
}

TEST_CASE("the annotation istio.io/dry-run puts a policy on trial") {
  const auto with = [](std::string_view value) {
    return load_text(policy_yaml(
        "  {}", fmt::format("name: p, namespace: default, annotations: {{istio.io/dry-run: '{}'}}",
                            value)));
  };
  CHECK(policy_of(with("true"))->dry_run());
  CHECK_FALSE(policy_of(with("false"))->dry_run());
  const Loaded wrong = with("maybe");
  CHECK(wrong.broken);
  CHECK(mentions(wrong, "istio.io/dry-run: \"maybe\" is neither \"true\" nor \"false\""));
}

TEST_CASE("both versions of the API are read") {
  for (const char* version : {"v1", "v1beta1"}) {
    const Loaded mesh = load_text(policy_yaml("  {}", "name: p, namespace: default", version));
    CHECK(mesh.diagnostics.empty());
    CHECK(policy_of(mesh) != nullptr);
  }
}

TEST_CASE("what is for a waypoint is none of ztunnel's business") {
  const std::string spec =
      "  targetRefs: [{kind: Gateway, group: gateway.networking.k8s.io, name: w}]\n"
      "  action: DENY\n  rules: [{to: [{operation: {methods: [GET], paths: [/x]}}]}]";
  const Loaded mesh = load_text(policy_yaml(spec));
  CHECK_FALSE(mesh.broken);
  CHECK(mesh.state.books.authorization->empty());
}

TEST_CASE("an empty list of targets is none: ztunnel enforces the policy") {
  const Loaded mesh = load_text(policy_yaml("  targetRefs: []\n  action: DENY\n  rules: [{}]"));
  CHECK(mesh.diagnostics.empty());
  REQUIRE(policy_of(mesh) != nullptr);
  CHECK(policy_of(mesh)->action == AuthorizationAction::deny);
}

TEST_CASE("AUDIT and CUSTOM have no effect and say so") {
  const Loaded audit = load_text(policy_yaml("  action: AUDIT\n  rules: [{}]"));
  CHECK_FALSE(audit.broken);
  CHECK(audit.state.books.authorization->empty());
  CHECK(says(audit,
             "mesh.yaml:7: warning: AuthorizationPolicy default/p: spec.action: ztunnel has no "
             "AUDIT: the policy has no effect here"));
  const Loaded custom =
      load_text(policy_yaml("  action: CUSTOM\n  provider: {name: x}\n  rules: [{}]"));
  CHECK_FALSE(custom.broken);
  CHECK(custom.state.books.authorization->empty());
  CHECK(mentions(custom, "spec.action: CUSTOM is for a waypoint: the policy is NOT ENFORCED here"));
}

struct HttpCase {
  const char* rule;
  const char* field;
};

TEST_CASE("an ALLOW rule with anything of HTTP is left out, and its field is named") {
  for (const HttpCase& one : std::initializer_list<HttpCase>{
           {"{to: [{operation: {methods: [GET]}}]}", "to[0].operation.methods"},
           {"{to: [{operation: {notMethods: [GET]}}]}", "to[0].operation.notMethods"},
           {"{to: [{operation: {paths: [/x]}}]}", "to[0].operation.paths"},
           {"{to: [{operation: {notPaths: [/x]}}]}", "to[0].operation.notPaths"},
           {"{to: [{operation: {hosts: [x]}}]}", "to[0].operation.hosts"},
           {"{to: [{operation: {notHosts: [x]}}]}", "to[0].operation.notHosts"},
           {"{to: [{operation: {ports: ['80'], paths: [/x]}}]}", "to[0].operation.paths"},
           {"{to: [{operation: {ports: ['80']}}, {operation: {paths: [/x]}}]}",
            "to[1].operation.paths"},
           {"{from: [{source: {requestPrincipals: ['*']}}]}", "from[0].source.requestPrincipals"},
           {"{from: [{source: {notRequestPrincipals: ['*']}}]}",
            "from[0].source.notRequestPrincipals"},
           {"{from: [{source: {remoteIpBlocks: [10.0.0.1]}}]}", "from[0].source.remoteIpBlocks"},
           {"{from: [{source: {notRemoteIpBlocks: [10.0.0.1]}}]}",
            "from[0].source.notRemoteIpBlocks"},
           {"{from: [{source: {namespaces: [a], remoteIpBlocks: [10.0.0.1]}}]}",
            "from[0].source.remoteIpBlocks"},
           {"{when: [{key: 'request.headers[X]', values: [a]}]}", "when[0].key request.headers[X]"},
           {"{when: [{key: remote.ip, values: [10.0.0.1]}]}", "when[0].key remote.ip"},
           {"{when: [{key: request.auth.principal, values: [a]}]}",
            "when[0].key request.auth.principal"},
           {"{when: [{key: request.auth.audiences, values: [a]}]}",
            "when[0].key request.auth.audiences"},
           {"{when: [{key: request.auth.presenter, values: [a]}]}",
            "when[0].key request.auth.presenter"},
           {"{when: [{key: 'request.auth.claims[iss]', values: [a]}]}",
            "when[0].key request.auth.claims[iss]"},
           {"{when: [{key: connection.sni, values: [a]}]}", "when[0].key connection.sni"},
       }) {
    CAPTURE(one.rule);
    const Loaded mesh = load_text(policy_yaml(fmt::format("  rules:\n  - {}", one.rule)));
    CAPTURE(mesh.text());
    CHECK_FALSE(mesh.broken);
    REQUIRE(policy_of(mesh) != nullptr);
    CHECK(policy_of(mesh)->rules.empty());
    CHECK(says(
        mesh, fmt::format("mesh.yaml:8: warning: AuthorizationPolicy default/p: spec.rules[0].{}: "
                          "ztunnel does not see HTTP: this rule of an ALLOW policy matches NOTHING "
                          "here; move the rule to a policy with targetRefs for a waypoint",
                          one.field)));
  }
}

TEST_CASE("other rules of an ALLOW policy stay when one of them is left out") {
  const Loaded mesh = load_text(policy_yaml(
      "  rules: [{to: [{operation: {methods: [GET]}}]}, {from: [{source: {namespaces: [a]}}]}]"));
  REQUIRE(policy_of(mesh)->rules.size() == 1);
  CHECK(policy_of(mesh)->rules[0][0][0].namespaces.any_of.size() == 1);
}

// What is left of a DENY rule, as `describe` would count it: the clauses of each rule.
std::vector<std::size_t> denied(std::string_view rule, std::string_view says_of_it) {
  const Loaded mesh = load_text(policy_yaml(fmt::format("  action: DENY\n  rules:\n  - {}", rule)));
  CAPTURE(mesh.text());
  CHECK_FALSE(mesh.broken);
  CHECK(mentions(mesh, says_of_it));
  std::vector<std::size_t> clauses;
  for (const auto& one : policy_of(mesh)->rules) clauses.push_back(one.size());
  return clauses;
}

TEST_CASE("a DENY rule is enforced without its HTTP attributes and so denies more") {
  const std::string_view more = "is enforced without it and DENIES MORE than it says";
  using Clauses = std::vector<std::size_t>;
  CHECK(denied("{to: [{operation: {ports: ['80'], methods: [GET]}}]}", more) == Clauses{1});
  CHECK(denied("{from: [{source: {namespaces: [a], requestPrincipals: [x]}}]}", more) ==
        Clauses{1});
  // The client is denied whatever it asks for.
  CHECK(denied("{from: [{source: {namespaces: [a]}}], to: [{operation: {methods: [GET]}}]}",
               more) == Clauses{1});
  CHECK(denied("{from: [{source: {namespaces: [a]}}],"
               " to: [{operation: {ports: ['80']}}, {operation: {methods: [GET]}}]}",
               more) == Clauses{1});
  CHECK(denied("{from: [{source: {namespaces: [a]}}],"
               " when: [{key: 'request.headers[x]', values: [a]}]}",
               more) == Clauses{1});
  CHECK(denied("{from: [{source: {remoteIpBlocks: [10.0.0.1]}}],"
               " to: [{operation: {ports: ['80']}}]}",
               more) == Clauses{1});
  CHECK(denied("{from: [{source: {namespaces: [a]}}], to: [{operation: {ports: ['80']}}],"
               " when: [{key: remote.ip, values: [10.0.0.1]}]}",
               more) == Clauses{2});
  // Where no other condition is left, only what can be checked is denied, not everything.
  CHECK(denied("{to: [{operation: {ports: ['80']}}, {operation: {methods: [GET]}}]}", more) ==
        Clauses{1});
}

TEST_CASE("a DENY rule about HTTP alone denies nothing, and that is said") {
  const std::string_view nothing =
      "nothing else is left of this rule of a DENY policy, so it DENIES NOTHING here";
  CHECK(denied("{to: [{operation: {methods: [GET]}}]}", nothing).empty());
  CHECK(denied("{when: [{key: 'request.headers[x]', values: [a]}]}", nothing).empty());
  CHECK(denied("{from: [{source: {requestPrincipals: [x]}}], to: [{operation: {paths: [/x]}}]}",
               nothing)
            .empty());
}

TEST_CASE("an empty list of HTTP attributes is none") {
  const Loaded mesh =
      load_text(policy_yaml("  rules: [{to: [{operation: {ports: ['80'], methods: []}}]}]"));
  CHECK(mesh.diagnostics.empty());
  CHECK(policy_of(mesh)->rules.size() == 1);
}

TEST_CASE("mistakes are said with file, line, object, field and the mend") {
  struct Mistake {
    const char* spec;
    const char* line;
  };
  for (
      const Mistake& one : std::initializer_list<Mistake>{
          {"  action: REFUSE",
           "mesh.yaml:7: AuthorizationPolicy default/p: spec.action: \"REFUSE\" is no action: "
           "write "
           "ALLOW or DENY"},
          {"  rules:\n  - from: []",
           "mesh.yaml:8: AuthorizationPolicy default/p: spec.rules[0].from: is an empty list: name "
           "at least one, or leave it out"},
          {"  rules:\n  - from:\n    - source: {}",
           "mesh.yaml:9: AuthorizationPolicy default/p: spec.rules[0].from[0].source: says "
           "nothing: "
           "write principals: [...] for example, or leave it out"},
          {"  rules:\n  - from:\n    - {}",
           "mesh.yaml:9: AuthorizationPolicy default/p: spec.rules[0].from[0].source: missing: "
           "write the conditions there"},
          {"  rules:\n  -",
           "mesh.yaml:7: AuthorizationPolicy default/p: spec.rules[0]: is empty: write {} for a "
           "rule that matches all, or remove the dash"},
          {"  rules:\n  - from:\n    - source:\n        ipBlocks: [10.0.0.0/33]",
           "mesh.yaml:10: AuthorizationPolicy default/p: spec.rules[0].from[0].source.ipBlocks: "
           "\"10.0.0.0/33\" is neither an address nor a network: write one such as 10.0.0.1, "
           "10.0.0.0/8 or fd00::/8"},
          {"  rules:\n  - from:\n    - source:\n        principals: ['']",
           "mesh.yaml:10: AuthorizationPolicy default/p: spec.rules[0].from[0].source.principals: "
           "an empty text matches nothing: take it out"},
          {"  rules:\n  - from:\n    - source:\n        serviceAccounts: [a/b/c]",
           "mesh.yaml:10: AuthorizationPolicy default/p: "
           "spec.rules[0].from[0].source.serviceAccounts: \"a/b/c\" is no service account: write "
           "NAMESPACE/NAME or NAME, without wildcards"},
          {"  rules:\n  - to:\n    - operation:\n        ports: ['0']",
           "mesh.yaml:10: AuthorizationPolicy default/p: spec.rules[0].to[0].operation.ports: "
           "\"0\" "
           "is not a number from 1 to 65535"},
          {"  rules:\n  - to:\n    - operation:\n        ports: [http]",
           "mesh.yaml:10: AuthorizationPolicy default/p: spec.rules[0].to[0].operation.ports: "
           "\"http\" is not a number from 1 to 65535"},
          {"  rules:\n  - when:\n    - {values: [a]}",
           "mesh.yaml:9: AuthorizationPolicy default/p: spec.rules[0].when[0].key: missing: write "
           "an attribute such as source.ip or destination.port"},
          {"  rules:\n  - when:\n    - {key: source.adress, values: [a]}",
           "mesh.yaml:9: AuthorizationPolicy default/p: spec.rules[0].when[0].key: "
           "\"source.adress\" is no attribute of Istio: write one such as source.ip, "
           "source.namespace, source.principal or destination.port"},
          {"  rules:\n  - when:\n    - {key: source.ip}",
           "mesh.yaml:9: AuthorizationPolicy default/p: spec.rules[0].when[0]: says nothing: write "
           "values: [...] or notValues: [...], or leave it out"},
          {"  selector: {matchLabels: {a: b}}\n  targetRefs: [{kind: Gateway, group: "
           "gateway.networking.k8s.io, name: w}]",
           "mesh.yaml:8: AuthorizationPolicy default/p: spec.targetRefs: stands beside a selector: "
           "keep one of them"},
          {"  selector: {matchLabels: {a: b}}\n  targetRef: {kind: Gateway, group: "
           "gateway.networking.k8s.io, name: w}",
           "mesh.yaml:8: AuthorizationPolicy default/p: spec.targetRef: stands beside a selector: "
           "keep one of them"},
          {"  targetRefs: {kind: Gateway, name: w}",
           "mesh.yaml:7: AuthorizationPolicy default/p: spec.targetRefs: must be a list"},
          {"  targetRefs: [~]",
           "mesh.yaml:7: AuthorizationPolicy default/p: spec.targetRefs[0]: names no object: write "
           "kind and name of a waypoint's Gateway or of a Service"},
          {"  rules: everything",
           "mesh.yaml:7: AuthorizationPolicy default/p: spec.rules: must be a list"},
      }) {
    CAPTURE(one.spec);
    const Loaded mesh = load_text(policy_yaml(one.spec));
    CAPTURE(mesh.text());
    CHECK(mesh.broken);
    CHECK(says(mesh, one.line));
  }
}

TEST_CASE("what is allowed to be written and never matches is warned of") {
  const Loaded scheme = load_text(policy_yaml(
      "  rules: [{from: [{source: {principals: ['spiffe://cluster.local/ns/a/sa/b']}}]}]"));
  CHECK_FALSE(scheme.broken);
  CHECK(mentions(scheme,
                 "matches NOTHING, since principals are compared without spiffe://: write "
                 "\"cluster.local/ns/a/sa/b\""));
  const Loaded middle = load_text(
      policy_yaml("  rules: [{from: [{source: {principals: ['cluster.local/ns/*/sa/b']}}]}]"));
  CHECK_FALSE(middle.broken);
  CHECK(mentions(middle, "matches only a text with a * in it"));
}

TEST_CASE("a field of the spec that is not known, or without a value, is an error") {
  struct Mistake {
    const char* spec;
    const char* text;
  };
  for (const Mistake& one : std::initializer_list<Mistake>{
           {"  rule: [{}]", "spec.rule: no such field"},
           {"  rules: [{form: [{source: {namespaces: [a]}}]}]", "spec.rules[0].form: no such"},
           {"  rules: [{from: [{source: {namespaces: [a]}, not: 1}]}]",
            "spec.rules[0].from[0].not: no such field"},
           {"  rules: [{from: [{source: {namespaces: [a], notNamespace: [b]}}]}]",
            "spec.rules[0].from[0].source.notNamespace: no such field: look for a misspelling"},
           {"  rules: [{from: [{source: {namespaces: [a], principals: }}]}]",
            "spec.rules[0].from[0].source.principals: has no value: write one, or leave the field"},
           {"  rules: [{to: [{operation: {ports: ['80'], port: ['81']}}]}]",
            "spec.rules[0].to[0].operation.port: no such field"},
           {"  rules: [{to: [{operation: {ports: ['80'], methods: }}]}]",
            "spec.rules[0].to[0].operation.methods: has no value"},
           {"  rules: [{when: [{key: source.ip, values: [10.0.0.1], notValue: [10.0.0.2]}]}]",
            "spec.rules[0].when[0].notValue: no such field"},
           {"  rules:\n  - from:\n", "spec.rules[0].from: has no value"},
           {"  rules:\n  - when:\n", "spec.rules[0].when: has no value"},
           {"  selector: {matchExpressions: [{key: a, operator: Exists}]}",
            "spec.selector.matchExpressions: no such field"},
           {"  selector: {app: web}", "spec.selector.app: no such field"},
           {"  selector:", "spec.selector: has no value"},
           {"  rules:", "spec.rules: has no value"},
       }) {
    CAPTURE(one.spec);
    const Loaded mesh = load_text(policy_yaml(one.spec));
    CAPTURE(mesh.text());
    CHECK(mesh.broken);
    CHECK(mentions(mesh, one.text));
  }
  // What objects of a cluster carry besides is no mistake.
  const Loaded usual = load_text(policy_yaml(
      "  action: ALLOW\n  rules: [{}]\nstatus: {conditions: [], validationMessages: }"));
  CHECK(usual.diagnostics.empty());
}

TEST_CASE("the same policy in two places is refused") {
  const Loaded mesh = load_text(policy_yaml("  {}") + policy_yaml("  {}"));
  CHECK(mesh.broken);
  CHECK(mentions(mesh, "AuthorizationPolicy default/p: stands here again"));
}

}  // namespace
}  // namespace aquifer::manifests
