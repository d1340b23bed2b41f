// Lints of policies: each says its line for the policy that bites, and nothing for one that does
// not.
#include "config/manifests/lint/lint.h"
#include "tests/unit/config/manifests/fixtures.h"

#include <doctest/doctest.h>

#include <string>

namespace aquifer::manifests {
namespace {

using namespace test;

struct Row {
  std::string policies;
  std::string findings;
};

// Two pods in the mesh, of which web serves 8080 behind port 80, and one outside of it.
const std::string kMesh =
    ns_yaml("default", "{istio.io/dataplane-mode: ambient}") +
    pod_yaml(
        "web", "10.0.0.1", "labels: {app: web}",
        "nodeName: n1, serviceAccountName: web, containers: [{name: c, ports: [{containerPort: "
        "8080}]}]") +
    pod_yaml("db", "10.0.0.2", "labels: {app: db}", "nodeName: n1, serviceAccountName: db") +
    pod_yaml("old", "10.0.0.3", "labels: {app: old, istio.io/dataplane-mode: none}",
             "nodeName: n1, serviceAccountName: old") +
    service_yaml("web", "10.96.0.1", "{app: web}", "[{port: 80, targetPort: 8080}]");

// The line of the policy's document in the whole text is taken off, so that the tables count from
// the policy itself.
std::string found(const std::string& policies) {
  // Behind the mesh, so that its lines stay what they are.
  const std::string text = findings(kMesh + policies);
  const auto lines = static_cast<std::uint32_t>(std::ranges::count(kMesh, '\n'));
  std::string result;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t colon = text.find(':', at);
    const std::size_t end = text.find(':', colon + 1);
    const std::size_t newline = text.find('\n', at);
    const int line = std::stoi(text.substr(colon + 1, end - colon - 1));
    result +=
        fmt::format("{}{}", line - static_cast<int>(lines), text.substr(end, newline + 1 - end));
    at = newline + 1;
  }
  return result;
}

std::string authorization(std::string_view name, std::string_view spec,
                          std::string_view ns = "default") {
  return fmt::format(
      "---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {{name: {}, "
      "namespace: {}}}\nspec:\n{}",
      name, ns, spec);
}

void check_rows(std::initializer_list<Row> rows) {
  for (const Row& row : rows) {
    CAPTURE(row.policies);
    CHECK(found(row.policies) == row.findings);
  }
}

const std::string kWeb = "  selector: {matchLabels: {app: web}}\n";
const std::string kStart = "warning: AuthorizationPolicy default/p: ";

TEST_CASE("policies that mean something give no line") {
  CHECK(found(authorization(
            "p", kWeb + "  rules:\n  - from: [{source: {principals: "
                        "[cluster.local/ns/default/sa/db, 'cluster.local/ns/other/*'], namespaces: "
                        "[default]}}]\n    to: [{operation: {ports: ['8080']}}]\n")) == "");
  // The usual default deny beside what is allowed.
  CHECK(found(authorization("none", kWeb) + authorization("web", kWeb + "  rules: [{}]\n")) == "");
}

TEST_CASE("a policy that holds for nobody, or for pods that no proxy protects, is told so") {
  check_rows({
      {authorization("p", "  selector: {matchLabels: {app: wep}}\n  rules: [{}]\n"),
       "6: " + kStart +
           "spec.selector.matchLabels: selects no pod, so the policy protects nothing: no pod of "
           "namespace default has app=wep; there is app=db, app=old, app=web. Write labels that "
           "the "
           "pods have\n"},
      {authorization("p", "  rules: [{}]\n", "shpo"),
       "4: warning: AuthorizationPolicy shpo/p: metadata.namespace: there is no pod in namespace "
       "shpo: the policy holds for nobody; write it into the namespace of the pods it is to "
       "protect\n"},
      {authorization("p", "  selector: {matchLabels: {app: old}}\n  rules: [{}]\n"),
       "6: " + kStart +
           "spec.selector: NOT ENFORCED for pods that are not in the mesh (default/old): label "
           "their "
           "namespace istio.io/dataplane-mode: ambient\n"},
  });
}

TEST_CASE("an empty policy is told what that means") {
  check_rows({
      {authorization("p", kWeb), "5: " + kStart +
                                     "spec.rules: an ALLOW policy without rules that match here, "
                                     "and no other allows anything: "
                                     "every connection to default/web is DENIED; write rules, or a "
                                     "policy that allows what is "
                                     "needed\n"},
      {authorization("p", kWeb) + authorization("q", kWeb + "  rules: [{}]\n"), ""},
      {authorization("p", kWeb + "  action: DENY\n"),
       "5: " + kStart +
           "spec.rules: a DENY policy without rules denies nothing: write rules: [{}] to deny "
           "everything\n"},
  });
}

TEST_CASE("callers that nobody is are told the nearest that somebody is") {
  const auto from = [](std::string_view source) {
    return authorization(
        "p", fmt::format("{}  rules:\n  - from:\n    - source:\n        {}\n", kWeb, source));
  };
  check_rows({
      {from("principals: [cluster.local/ns/default/sa/bd]"),
       "10: " + kStart +
           "spec.rules: \"cluster.local/ns/default/sa/bd\" matches nobody: no workload has this "
           "identity; write cluster.local/ns/default/sa/db\n"},
      {from("principals: [other.td/ns/default/sa/db]"),
       "10: " + kStart +
           "spec.rules: \"other.td/ns/default/sa/db\" matches nobody: no workload has this "
           "identity "
           "(the trust domain here is cluster.local); write one that a pod's service account "
           "gives\n"},
      {from("principals: [db]"),
       "10: " + kStart +
           "spec.rules: \"db\" matches nobody: this is no identity: write "
           "TRUST_DOMAIN/ns/NAMESPACE/sa/SERVICE_ACCOUNT\n"},
      {from("namespaces: [defualt]"),
       "10: " + kStart +
           "spec.rules: \"defualt\" matches nobody: there is no such namespace; write default\n"},
      {from("namespaces: ['prod-*']"), ""},
      // What is excluded is looked at as well: an ALLOW rule then lets in whom it was to keep out.
      {from("notPrincipals: [cluster.local/ns/default/sa/bd]"),
       "10: " + kStart +
           "spec.rules: \"cluster.local/ns/default/sa/bd\" excludes nobody: no workload has this "
           "identity; write cluster.local/ns/default/sa/db\n"},
      {from("notNamespaces: [defualt]"),
       "10: " + kStart +
           "spec.rules: \"defualt\" excludes nobody: there is no such namespace; write default\n"},
      {from("notServiceAccounts: [wep]"),
       "10: " + kStart +
           "spec.rules: service account default/wep excludes nobody: no pod runs with it; write "
           "one of a pod\n"},
      {from("notServiceAccounts: [db]"), ""},
      {from("serviceAccounts: [wep]"), "10: " + kStart +
                                           "spec.rules: service account default/wep matches "
                                           "nobody: no pod runs with it; write one of "
                                           "a pod\n"},
  });
}

TEST_CASE("a service's port in a policy is told the pod's own") {
  const auto to = [](std::string_view ports) {
    return authorization(
        "p", fmt::format("{}  rules: [{{to: [{{operation: {{ports: {}}}}}]}}]\n", kWeb, ports));
  };
  check_rows({
      {to("['8080']"), ""},
      {to("['80']"), "7: " + kStart +
                         "spec.rules: port 80 matches nobody: it is a service's port, and policies "
                         "compare the pod's own; write 8080\n"},
      {to("['9090']"), "7: " + kStart +
                           "spec.rules: port 9090 matches nobody: none of the selected pods serves "
                           "it; write one of theirs (8080)\n"},
      {authorization("p",
                     kWeb + "  action: DENY\n  rules: [{to: [{operation: {notPorts: ['80']}}]}]\n"),
       "8: " + kStart +
           "spec.rules: port 80 excludes nobody: it is a service's port, and policies compare the "
           "pod's own; write 8080\n"},
  });
}

TEST_CASE("a policy that can never matter is told which one is in its way") {
  const std::string db =
      "  rules: [{from: [{source: {principals: [cluster.local/ns/default/sa/db]}}]}]\n";
  const std::string wide = "  rules: [{from: [{source: {namespaces: [default]}}]}]\n";
  check_rows({
      {authorization("p", kWeb + db) + authorization("q", kWeb + db),
       "14: warning: AuthorizationPolicy default/q: spec.rules: can never matter: ALLOW default/p "
       "already says all of it for the same pods; take one of them away\n"},
      {authorization("p", kWeb + "  rules: [{}]\n") +
           authorization("q", "  action: DENY\n  rules: [{}]\n"),
       "7: " + kStart +
           "spec.rules: can never allow anything: all that it allows is denied by DENY default/q, "
           "which is asked first; narrow that one, or take this one away\n"},
      {authorization("p", kWeb + db) + authorization("q", wide), ""},
      {authorization("p", kWeb + db) +
           authorization("q", "  selector: {matchLabels: {app: db}}\n" + db),
       ""},
  });
}

TEST_CASE("STRICT that nobody enforces, or that shuts out a neighbour, is said") {
  const auto strict = [](std::string_view spec) {
    return fmt::format(
        "---\napiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {{name: p, "
        "namespace: default}}\nspec: {}\n",
        spec);
  };
  const std::string start = "5: warning: PeerAuthentication default/p: ";
  check_rows({
      {strict("{mtls: {mode: STRICT}}"),
       start +
           "spec.mtls: STRICT refuses plaintext, and default/old of the same namespace cannot do "
           "otherwise: their connections to the others are DENIED; bring them into the mesh, or "
           "write PERMISSIVE for what they need\n"},
      {strict("{selector: {matchLabels: {app: web}}, mtls: {mode: STRICT}}"), ""},
      {strict("{selector: {matchLabels: {app: old}}, mtls: {mode: STRICT}}"),
       start + "spec.mtls: STRICT is NOT ENFORCED: none of the pods is in the mesh (default/old); "
               "label their namespace istio.io/dataplane-mode: ambient\n"},
      {strict("{selector: {matchLabels: {app: wep}}, mtls: {mode: STRICT}}"),
       start +
           "spec.selector.matchLabels: selects no pod: no pod of namespace default has app=wep; "
           "there is app=db, app=old, app=web. Write labels that the pods have\n"},
      {strict("{selector: {matchLabels: {app: web}}, portLevelMtls: {80: {mode: STRICT}}}"),
       start +
           "spec.portLevelMtls: none of the selected pods declares port 80: write the pods' own "
           "port, not a service's\n"},
  });
}

TEST_CASE("egress and network policies that restrict nobody are said") {
  const auto egress = [](std::string_view spec) {
    return fmt::format(
        "---\napiVersion: aquifer.dev/v1alpha1\nkind: EgressPolicy\nmetadata: {{name: p, "
        "namespace: "
        "default}}\nspec: {}\n",
        spec);
  };
  const auto network = [](std::string_view spec) {
    return fmt::format(
        "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: p, "
        "namespace: "
        "default}}\nspec: {}\n",
        spec);
  };
  const std::string none =
      "selects no pod, so nothing is restricted: no pod of namespace default has app=wep; there is "
      "app=db, app=old, app=web. Write labels that the pods have\n";
  const std::string outside =
      "spec: NOT ENFORCED here for pods that are not in the mesh (default/old): label their "
      "namespace istio.io/dataplane-mode: ambient\n";
  check_rows({
      {egress("{default: DENY}"), ""},
      {egress("{selector: {matchLabels: {app: wep}}, default: DENY}"),
       "5: warning: EgressPolicy default/p: spec.selector: " + none},
      {egress("{selector: {matchLabels: {app: old}}, default: DENY}"),
       "5: warning: EgressPolicy default/p: " + outside},
      {network("{podSelector: {}, ingress: []}"), ""},
      {network("{podSelector: {matchLabels: {app: wep}}}"),
       "5: warning: NetworkPolicy default/p: spec.podSelector: " + none},
      {network("{podSelector: {matchLabels: {app: old}}}"),
       "5: warning: NetworkPolicy default/p: " + outside},
  });
}

TEST_CASE("peers that are no pod, and names of ports that no pod gives, are said") {
  const std::string mesh =
      ns_yaml("shop", "{team: red}") +
      pod_yaml("sql", "10.0.0.4", "labels: {app: sql, istio.io/dataplane-mode: ambient}",
               "nodeName: n1, containers: [{name: c, ports: [{name: pg, containerPort: 5432}]}]");
  const auto with = [&](std::string_view spec) {
    const auto lines = std::ranges::count(kMesh + mesh, '\n');
    const std::string text =
        findings(kMesh + mesh +
                 fmt::format("---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"
                             "metadata: {{name: p, namespace: default}}\nspec:\n"
                             "  podSelector: {{matchLabels: {{app: sql}}}}\n{}",
                             spec));
    const std::string file = "mesh.yaml:";
    if (!text.starts_with(file)) return text;
    const std::size_t colon = text.find(':', file.size());
    const int line = std::stoi(text.substr(file.size(), colon - file.size()));
    return fmt::format("{}{}", line - static_cast<int>(lines), text.substr(colon));
  };
  const std::string start = ": warning: NetworkPolicy default/p: ";
  // What opens something, or can.
  for (const char* fine : {
           "  ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: pg}]}]\n",
           "  ingress: [{from: [{namespaceSelector: {}}, {ipBlock: {cidr: 10.0.0.0/8}}]}]\n",
           "  ingress: [{ports: [{port: 8080}]}]\n",
           "  policyTypes: [Egress]\n  egress: [{ports: [{port: pg}]}]\n",
           "  policyTypes: [Egress]\n  egress: [{to: [{ipBlock: {cidr: 1.0.0.0/8}}], ports: "
           "[{port: "
           "pg}]}]\n",
       }) {
    CAPTURE(fine);
    CHECK(with(fine) == "");
  }
  const std::string selects = "selects no pod, so it lets nobody through: ";
  CHECK(
      with("  ingress:\n  - from: [{podSelector: {matchLabels: {app: web}}}]\n  - from:\n    - "
           "podSelector: {}\n    - podSelector: {matchLabels: {app: wep}}\n") ==
      "11" + start + "spec.ingress[1].from[1]: " + selects +
          "no pod of namespace default has app=wep; there is app=db, app=old, app=sql and 1 more. "
          "Write labels that the peers have\n");
  CHECK(with("  ingress:\n  - from: [{namespaceSelector: {matchLabels: {team: blue}}}]\n") ==
        "8" + start + "spec.ingress[0].from[0]: " + selects +
            "no namespace fits namespaceSelector. Write labels that the peers have\n");
  CHECK(with("  policyTypes: [Egress]\n  egress:\n  - to: [{namespaceSelector: {matchLabels: "
             "{team: red}}}]\n") ==
        "9" + start + "spec.egress[0].to[0]: " + selects +
            "no pod of the namespaces that fit namespaceSelector fits the peer. Write labels that "
            "the peers have\n");
  CHECK(with("  ingress:\n  - ports:\n    - port: pq\n") ==
        "9" + start +
            "spec.ingress[0].ports: no selected pod calls a port \"pq\", so it opens nothing: "
            "write a number, or one of pg\n");
  CHECK(with("  policyTypes: [Egress]\n  egress:\n  - to: [{podSelector: {matchLabels: {app: "
             "web}}}]\n    ports: [{port: pg}]\n") ==
        "10" + start +
            "spec.egress[0].ports: no pod of its peers calls a port \"pg\", so it opens nothing: "
            "write a number\n");
}

}  // namespace
}  // namespace aquifer::manifests
