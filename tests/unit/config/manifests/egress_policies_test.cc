// EgressPolicy manifests: how they are read, and that nothing in them is let pass unread.
#include "config/model/egress.h"
#include "tests/unit/config/manifests/fixtures.h"

#include <doctest/doctest.h>

namespace aquifer::manifests {
namespace {

using namespace test;

std::string policy_yaml(std::string_view spec, std::string_view name = "p",
                        std::string_view ns = "default", std::string_view more = "labels: {}") {
  return fmt::format(
      "---\napiVersion: aquifer.dev/v1alpha1\nkind: EgressPolicy\n"
      "metadata: {{name: {}, namespace: {}, {}}}\nspec: {}\n",
      name, ns, more, spec);
}

std::string pod_in(std::string_view ns, std::string_view name, std::string_view ip,
                   std::string_view labels = "{}") {
  return fmt::format(
      "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {}, namespace: {}, labels: {}}}\n"
      "spec: {{nodeName: n}}\nstatus: {{podIP: {}}}\n",
      name, ns, labels, ip);
}

/// How many policies select the pod `key`?
std::size_t selecting(const Loaded& mesh, std::string_view ns, std::string_view name) {
  const auto snapshot = mesh.snapshot();
  return snapshot->books().egress->selecting(*snapshot->workload_by_name(ns, name)).size();
}

TEST_CASE("every field arrives in the model, in the order of the file") {
  const Loaded mesh = load_text(policy_yaml(R"(
  selector: {matchLabels: {app: web}}
  default: DENY
  rules:
  - to:
    - services: [default/db, "*.shop.svc.cluster.local"]
      notServices: [shop/admin]
      hosts: [Api.Example.com.]
      notHosts: ["*.internal"]
      serverNames: ["*"]
      notServerNames: [bad.example.com]
      cidrs: [10.0.0.0/8, "fd00::/8"]
      notCidrs: [10.1.0.0/16]
      ports: [443, 8000-8099]
      notPorts: [8080]
    - ports: [80]
  - action: DENY
)"));
  CHECK_FALSE(mesh.broken);
  const auto policies = mesh.state.books.egress->policies();
  REQUIRE(policies.size() == 1);
  const model::EgressPolicy& policy = policies[0];
  CHECK(policy.full_name() == "default/p");
  CHECK(policy.fallback == model::EgressAction::deny);
  CHECK(policy.enforcement == model::Enforcement::enforced);
  CHECK(policy.group.has_value());
  REQUIRE(policy.rules.size() == 2);
  CHECK(policy.rules[0].action == model::EgressAction::allow);
  CHECK(policy.rules[1].action == model::EgressAction::deny);
  CHECK(policy.rules[1].to.empty());
  REQUIRE(policy.rules[0].to.size() == 2);
  const model::EgressTarget& target = policy.rules[0].to[0];
  CHECK(target.services.any_of[0].text() == "default/db");
  CHECK(target.services.any_of[1].text() == "*.shop.svc.cluster.local");
  CHECK(target.services.none_of[0].text() == "shop/admin");
  CHECK(target.hosts.any_of[0].text() == "api.example.com");
  CHECK(target.hosts.none_of[0].text() == "*.internal");
  CHECK(target.server_names.any_of[0].text() == "*");
  CHECK(target.server_names.none_of[0].text() == "bad.example.com");
  CHECK(target.cidrs.any_of[1].to_string() == "fd00::/8");
  CHECK(target.cidrs.none_of[0].to_string() == "10.1.0.0/16");
  CHECK(target.ports.any_of[1].text() == "8000-8099");
  CHECK(target.ports.none_of[0].text() == "8080");
  CHECK(policy.rules[0].to[1].ports.any_of[0].text() == "80");
}

TEST_CASE("a policy holds for its namespace, and one of the root namespace for the mesh") {
  const std::string pods = pod_in("shop", "web", "10.0.0.1", "{app: web}") +
                           pod_in("shop", "db", "10.0.0.2") +
                           pod_in("tools", "scan", "10.0.0.3", "{app: web}");
  const auto counts = [&](const std::string& policy) {
    const Loaded mesh = load_text(pods + policy);
    CHECK(mesh.text() == "");
    return fmt::format("{} {} {}", selecting(mesh, "shop", "web"), selecting(mesh, "shop", "db"),
                       selecting(mesh, "tools", "scan"));
  };
  const std::string_view web = "{selector: {matchLabels: {app: web}}, default: DENY}";
  CHECK(counts(policy_yaml("{default: DENY}", "p", "shop")) == "1 1 0");
  CHECK(counts(policy_yaml(web, "p", "shop")) == "1 0 0");
  CHECK(counts(policy_yaml("{default: DENY}", "p", "istio-system")) == "1 1 1");
  CHECK(counts(policy_yaml(web, "p", "istio-system")) == "1 0 1");
  CHECK(counts(policy_yaml("{selector: {}, default: DENY}", "p", "tools")) == "0 0 1");
}

TEST_CASE("a dry run is asked for by the field or by Istio's annotation") {
  const auto enforcement = [](const std::string& text) {
    const Loaded mesh = load_text(text);
    CHECK(mesh.text() == "");
    return mesh.state.books.egress->policies()[0].enforcement;
  };
  using model::Enforcement;
  CHECK(enforcement(policy_yaml("{default: DENY, dryRun: true}")) == Enforcement::dry_run);
  CHECK(enforcement(policy_yaml("{default: DENY, dryRun: false}")) == Enforcement::enforced);
  CHECK(enforcement(policy_yaml("{default: DENY}", "p", "default",
                                "annotations: {istio.io/dry-run: \"true\"}")) ==
        Enforcement::dry_run);
  CHECK(mentions(load_text(policy_yaml("{default: DENY}", "p", "default",
                                       "annotations: {istio.io/dry-run: \"yes\"}")),
                 "istio.io/dry-run: \"yes\" is neither: write \"true\" or \"false\""));
}

TEST_CASE("the services that rules name are known by their endpoints too, others are not") {
  const std::string world =
      pod_yaml("db", "10.0.0.2", "labels: {app: db}") +
      service_yaml("db", "10.96.0.2", "{app: db}", "[{port: 5432, targetPort: 6432}]") +
      service_yaml("other", "10.96.0.3", "{app: db}", "[{port: 80}]");
  for (const std::string_view named :
       {"default/db", "db.default.svc.cluster.local", "DB.default.svc.cluster.local."}) {
    const Loaded mesh =
        load_text(world + policy_yaml(fmt::format(
                              "{{rules: [{{action: DENY, to: [{{services: ['{}']}}]}}]}}", named)));
    CHECK(mesh.text() == "");
    const auto backed = mesh.state.books.egress->backed_by("Kubernetes//Pod/default/db");
    REQUIRE(backed.size() == 1);
    CHECK(backed[0].hostname == "db.default.svc.cluster.local");
    CHECK(backed[0].ports == std::vector<std::uint16_t>{6432});
  }
  const Loaded all =
      load_text(world + policy_yaml("{rules: [{action: DENY, to: [{services: ['default/*']}]}]}"));
  CHECK(all.state.books.egress->backed_by("Kubernetes//Pod/default/db").size() == 2);
}

TEST_CASE("a service that nobody has is worth a warning") {
  CHECK(says(load_text(policy_yaml("{rules: [{action: DENY, to: [{services: [default/dv]}]}]}")),
             "mesh.yaml:2: warning: EgressPolicy default/p: spec.rules[0].to[0].services: no "
             "service is called default/dv: it matches nothing; look for a misspelling"));
  CHECK(says(load_text(policy_yaml("{rules: [{action: DENY, to: [{notServices: [default/dv]}]}]}")),
             "mesh.yaml:2: warning: EgressPolicy default/p: spec.rules[0].to[0].notServices: no "
             "service is called default/dv: it excludes nothing; look for a misspelling"));
  CHECK(says(load_text(policy_yaml("{rules: [{action: DENY, to: [{services: ['dfault/*']}]}]}")),
             "mesh.yaml:2: warning: EgressPolicy default/p: spec.rules[0].to[0].services: no "
             "service is one of dfault/*: it matches nothing; look for a misspelling"));
  CHECK_FALSE(load_text(service_yaml("db", "10.96.0.1", "{app: db}", "[{port: 80}]") +
                        policy_yaml("{rules: [{action: DENY, to: [{services: ['default/*', '*'], "
                                    "notServices: ['*.default.svc.cluster.local']}]}]}"))
                  .text()
                  .contains("look for a misspelling"));
}

TEST_CASE("server names without ports are worth a warning: everything else waits for them") {
  CHECK(
      mentions(load_text(policy_yaml("{rules: [{action: DENY, to: [{serverNames: [a.com]}]}]}")),
               "warning: EgressPolicy default/p: spec.rules[0].to[0]: serverNames without ports"));
}

TEST_CASE("mistakes in an EgressPolicy are errors, each with its place and its mend") {
  struct Row {
    std::string_view spec;
    std::string_view line;
  };
  for (const Row& row : {
           Row{"{}",
               "spec.default: missing, and there are no rules: write DENY to deny "
               "everything, or rules"},
           Row{"{rules: [{to: [{ports: [80]}]}]}",
               "spec.default: missing, and there are ALLOW rules: write DENY to deny what no ALLOW "
               "rule matches, or ALLOW if another policy does that"},
           Row{"{default: deny}", "spec.default: \"deny\" is neither: write ALLOW or DENY"},
           Row{"{default: DENY, rule: []}",
               "spec.rule: no such field: look for a misspelling or a wrong indentation"},
           Row{"{default: DENY, rules: null}",
               "spec.rules: has no value: write one, or leave the field out"},
           Row{"{default: DENY, selector: {matchExpressions: []}}",
               "spec.selector.matchExpressions: no such field: look for a misspelling or a wrong "
               "indentation"},
           Row{"{default: DENY, rules: [{action: AUDIT}]}",
               "spec.rules[0].action: \"AUDIT\" is neither: write ALLOW or DENY"},
           Row{"{default: DENY, rules: [{to: []}]}",
               "spec.rules[0].to: empty: write destinations, or leave `to` out to match every "
               "destination"},
           Row{"{default: DENY, rules: [{to: [{}]}]}",
               "spec.rules[0].to[0]: matches every destination: leave `to` out to say that"},
           Row{"{default: DENY, rules: [{to: [~]}]}",
               "spec.rules[0].to[0]: is empty: write a destination, or remove the dash"},
           Row{"{default: DENY, rules: [~]}",
               "spec.rules[0]: is empty: write {} for a rule that matches all, or remove the dash"},
           Row{"{default: DENY, rules: [{to: [{hosts: null, ports: [80]}]}]}",
               "spec.rules[0].to[0].hosts: has no value: write one, or leave the field out"},
           Row{"{default: DENY, rules: [{to: [{hosts: []}]}]}",
               "spec.rules[0].to[0].hosts: empty: write at least one, or leave the field out"},
           Row{"{default: DENY, rules: [{to: [{host: [a.com]}]}]}",
               "spec.rules[0].to[0].host: no such field: look for a misspelling or a wrong "
               "indentation"},
           Row{"{default: DENY, rules: [{to: [{hosts: ['a.*.com']}]}]}",
               "spec.rules[0].to[0].hosts: \"a.*.com\" is none: write a host name such as "
               "api.example.com, *.example.com or *"},
           Row{"{default: DENY, rules: [{to: [{serverNames: ['https://a.com'], ports: [443]}]}]}",
               "spec.rules[0].to[0].serverNames: \"https://a.com\" is none: write a host name such "
               "as api.example.com, *.example.com or *"},
           Row{"{default: DENY, rules: [{to: [{services: [db]}]}]}",
               "spec.rules[0].to[0].services: \"db\" is none: write NAMESPACE/NAME, NAMESPACE/*, "
               "or a host name such as db.shop.svc.cluster.local or *.shop.svc.cluster.local"},
           Row{"{default: DENY, rules: [{to: [{cidrs: [10.0.0.0/33]}]}]}",
               "spec.rules[0].to[0].cidrs: \"10.0.0.0/33\" is none: write a network such as "
               "10.0.0.0/8 or fd00::/8"},
           Row{"{default: DENY, rules: [{to: [{ports: [http]}]}]}",
               "spec.rules[0].to[0].ports: \"http\" is none: write a port such as 443 or "
               "8000-8099"},
           Row{"{default: DENY, rules: [{to: [{ports: [90-80]}]}]}",
               "spec.rules[0].to[0].ports: \"90-80\" is none: write a port such as 443 or "
               "8000-8099"},
           Row{"{default: DENY, rules: [{to: [{ports: [0]}]}]}",
               "spec.rules[0].to[0].ports: \"0\" is none: write a port such as 443 or 8000-8099"},
       }) {
    CAPTURE(row.spec);
    const Loaded mesh = load_text(policy_yaml(row.spec));
    CHECK(mesh.broken);
    CHECK(says(mesh, fmt::format("mesh.yaml:5: EgressPolicy default/p: {}", row.line)));
  }
  CHECK(says(load_text("apiVersion: aquifer.dev/v1alpha1\nkind: EgressPolicy\nmetadata: {name: p}"),
             "mesh.yaml:1: EgressPolicy default/p: spec: missing: write rules, or default: DENY, "
             "there"));
}

TEST_CASE("two policies of one name are an error, as for every kind") {
  CHECK(mentions(load_text(policy_yaml("{default: DENY}") + policy_yaml("{default: DENY}")),
                 "EgressPolicy default/p: stands here again, first at mesh.yaml:2: keep one"));
}

}  // namespace
}  // namespace aquifer::manifests
