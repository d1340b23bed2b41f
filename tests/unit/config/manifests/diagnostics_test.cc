// What people are told about bad manifests: every line names the place and the mend.
#include "config/manifests/kinds.h"
#include "config/manifests/limits.h"
#include "tests/unit/config/manifests/fixtures.h"

#include <doctest/doctest.h>

namespace aquifer::manifests {
namespace {

using namespace test;

TEST_CASE("each mistake is one line with file, line, object, field and mend") {
  struct Row {
    const char* text;
    const char* line;
  };
  const Row rows[] = {
      {"a: [\n", "mesh.yaml:2: not YAML: end of sequence flow not found"},
      {"- a\n", "mesh.yaml:1: must be a map of fields"},
      {"just text\n", "mesh.yaml:1: must be a map of fields"},
      {"apiVersion: v1\n",
       "mesh.yaml:1: kind: missing: every document here must be a Kubernetes object"},
      {"kind: Pod\n",
       "mesh.yaml:1: Pod: apiVersion: missing: write it as kubectl would take it, such as v1"},
      {"apiVersion: v1\nkind: Namespace\n",
       "mesh.yaml:1: Namespace: metadata: missing: write the object's name there"},
      {"apiVersion: v1\nkind: Namespace\nmetadata: {labels: {}}\n",
       "mesh.yaml:3: Namespace: metadata.name: missing: write the object's name"},
      {"apiVersion: v1\nkind: Namespace\nmetadata: {name: ../x}\n",
       "mesh.yaml:3: Namespace ../x: metadata.name: not a Kubernetes name: lower-case letters, "
       "digits, '-' and '.' only"},
      {"apiVersion: v1\nkind: Namespace\nmetadata: {name: a, labels: {x: [1]}}\n",
       "mesh.yaml:3: Namespace a: metadata.labels: the value of \"x\" must be plain text"},
      {"apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {nodeName: n, hostNetwork: "
       "maybe}\nstatus: {podIP: 10.0.0.1}\n",
       "mesh.yaml:4: Pod default/a: spec.hostNetwork: \"maybe\" is not a boolean: write true or "
       "false"},
      {"apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {nodeName: n}\nstatus:\n  podIP: "
       "10.0.0.256\n",
       "mesh.yaml:6: Pod default/a: status.podIP: \"10.0.0.256\" is not an IP address: write one "
       "such as 10.0.0.1 or "
       "fd00::1"},
      {"apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {nodeName: n}\n",
       "mesh.yaml:1: Pod default/a: status.podIP: missing: write the address at which the pod is "
       "reached"},
      {"apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  nodeName: n\n  containers:\n  - "
       "name: c\n    ports:\n"
       "    - containerPort: 70000\nstatus: {podIP: 10.0.0.1}\n",
       "mesh.yaml:9: Pod default/a: spec.containers[0].ports[0].containerPort: \"70000\" is not a "
       "number from 1 to 65535"},
      {"apiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: b}\nspec: {clusterIP: None, "
       "ports: [{name: x}]}\n",
       "mesh.yaml:4: Service b/a: spec.ports[0].port: missing: write the port that clients use"},
      {"apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {clusterIP: None, ports: {port: "
       "80}}\n",
       "mesh.yaml:4: Service default/a: spec.ports: must be a list"},
      {"apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {clusterIP: None, ports: [{port: "
       "80}, {port: 80}]}\n",
       "mesh.yaml:4: Service default/a: spec.ports[1].port: 80 stands here twice for TCP: keep "
       "one"},
      {"apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {clusterIP: None, "
       "internalTrafficPolicy: local}\n",
       "mesh.yaml:1: Service default/a: spec.internalTrafficPolicy: \"local\" is not known: write "
       "Cluster or Local"},
      {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata:\n "
       " mesh: |\n"
       "    rootNamespace: a\n    trustDomain: UPPER\n",
       "mesh.yaml:7: ConfigMap istio-system/istio: data.mesh: trustDomain: \"UPPER\" is not a "
       "trust domain: lower-case "
       "letters, digits, '.', '-' and '_' only"},
      {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata:\n "
       " mesh: |\n    a: [\n",
       "mesh.yaml:7: ConfigMap istio-system/istio: data.mesh: not YAML: end of sequence flow not "
       "found"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const Loaded mesh = load_text(row.text);
    CHECK(mesh.broken);
    CHECK(mesh.text() == std::string(row.line) + "\n");
    CHECK(mesh.state.workloads.empty());
  }
}

TEST_CASE("many mistakes are told at once, in the order of the file") {
  const Loaded mesh = load_text(
      "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {hostNetwork: 1}\nstatus: {podIP: x}\n"
      "---\nkind: Pod\n");
  REQUIRE(mesh.diagnostics.size() == 3);
  CHECK(mesh.diagnostics[0].line == 4);
  CHECK(mesh.diagnostics[1].line == 5);
  CHECK(mesh.diagnostics[2].line == 7);
}

TEST_CASE("a pod made of half a manifest is an error, wherever the cut was") {
  const std::string whole = pod_yaml("a", "10.0.0.1");
  REQUIRE_FALSE(load_text(whole).broken);
  // Cut after each line but the last: what is left is not a pod that could be meant.
  for (std::size_t end = whole.find('\n', whole.find("kind: Pod")); end + 1 < whole.size();
       end = whole.find('\n', end + 1)) {
    CAPTURE(whole.substr(0, end + 1));
    CHECK(load_text(whole.substr(0, end + 1)).broken);
  }
}

TEST_CASE("unknown fields of known kinds are warnings, in every map that is read") {
  const Loaded mesh = load_text(
      "apiVersion: v1\nkind: Service\nmetadata: {name: a, lables: {}}\n"
      "spec:\n  clusterIP: None\n  selectr: {}\n  ports: [{port: 80, tagetPort: 8080}]\nextra: "
      "1\n");
  CHECK_FALSE(mesh.broken);
  const std::string mend =
      ": no such field, it is ignored: look for a misspelling or a wrong indentation";
  CHECK(says(mesh, "mesh.yaml:3: warning: Service default/a: metadata.lables" + mend));
  CHECK(says(mesh, "mesh.yaml:6: warning: Service default/a: spec.selectr" + mend));
  CHECK(says(mesh, "mesh.yaml:7: warning: Service default/a: spec.ports[0].tagetPort" + mend));
  CHECK(says(mesh, "mesh.yaml:8: warning: Service default/a: extra" + mend));
  CHECK(mesh.diagnostics.size() == 4);
}

TEST_CASE("the same object in two files is an error that names both places") {
  const Loaded mesh =
      load_files({{"a.yaml", pod_yaml("x", "10.0.0.1")}, {"b.yaml", pod_yaml("x", "10.0.0.1")}});
  CHECK(mesh.broken);
  CHECK(says(mesh,
             "b.yaml:2: Pod default/x: stands here again, first at a.yaml:2: keep one of them"));
}

TEST_CASE("the same name in two namespaces or of two kinds is no duplicate") {
  const Loaded mesh =
      load_text(ns_yaml("x") + pod_yaml("x", "10.0.0.1") + service_yaml("x", "None", "{}", "[]") +
                "---\napiVersion: v1\nkind: Service\nmetadata: {name: x, namespace: other}\n"
                "spec: {clusterIP: None}\n");
  CHECK_FALSE(mesh.broken);
}

TEST_CASE("two pods of one address are a warning, two pods in one network namespace an error") {
  CHECK(mentions(load_text(pod_yaml("a", "10.0.0.1") + pod_yaml("b", "10.0.0.1")),
                 "Pod default/b: status.podIP: 10.0.0.1 is also the address of Pod default/a"));
  const std::string netns = "annotations: {aquifer.dev/netns: /run/netns/x}";
  const Loaded shared =
      load_text(pod_yaml("a", "10.0.0.1", netns) + pod_yaml("b", "10.0.0.2", netns));
  CHECK(shared.broken);
  CHECK(mentions(shared,
                 "aquifer.dev/netns: /run/netns/x is also that of Pod default/a on the same node"));
  CHECK_FALSE(load_text(pod_yaml("a", "10.0.0.1", netns) +
                        pod_yaml("b", "10.0.0.2", netns, "nodeName: node2"))
                  .broken);
  CHECK(load_text(pod_yaml("a", "10.0.0.1", "annotations: {aquifer.dev/netns: relative}")).broken);
}

TEST_CASE("kinds of the design that are not read yet and kinds of others are named once each") {
  const Loaded mesh = load_text(
      "{apiVersion: gateway.networking.k8s.io/v1, kind: BackendTLSPolicy, metadata: {name: "
      "r}}\n---\n"
      "{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}}\n---\n"
      "{apiVersion: apps/v1, kind: Deployment, metadata: {name: e}}\n---\n"
      "{apiVersion: serving.knative.dev/v1, kind: Service, metadata: {name: s}}\n");
  CHECK_FALSE(mesh.broken);
  REQUIRE(mesh.diagnostics.size() == 3);
  CHECK(mentions(mesh,
                 "BackendTLSPolicy r: BackendTLSPolicy is not supported by this version yet: it "
                 "has no effect"));
  CHECK(mentions(mesh, "Deployment d: unknown kind Deployment of apps (and 1 more): ignored"));
  CHECK(mentions(mesh, "Service s: unknown kind Service of serving.knative.dev: ignored"));
  CHECK(mesh.state.services.empty());
}

TEST_CASE("every kind of the design's table has its state") {
  CHECK(kind_state("", "Pod") == KindState::read);
  CHECK(kind_state("discovery.k8s.io", "EndpointSlice") == KindState::read);
  CHECK(kind_state("networking.istio.io", "Gateway") == KindState::unknown);
  CHECK(kind_state("gateway.networking.k8s.io", "Gateway") == KindState::read);
  CHECK(kind_state("security.istio.io", "RequestAuthentication") == KindState::read);
}

TEST_CASE("a line of ours cannot be forged by what a file says") {
  const Diagnostic diagnostic{.severity = Severity::error,
                              .file = "a\nb.yaml",
                              .line = 1,
                              .object = "Pod \x1b[31m",
                              .field = "",
                              .text = "x"};
  CHECK(render(diagnostic) == "a\\x0ab.yaml:1: Pod \\x1b[31m: x");
}

TEST_CASE("a report keeps errors even when warnings came first, and counts what it leaves out") {
  Report report;
  Diagnostic one{.severity = Severity::warning,
                 .file = "f",
                 .line = 1,
                 .object = "",
                 .field = "",
                 .text = "w"};
  for (std::size_t i = 0; i < kDiagnosticsMax + 10; ++i) report.add(one);
  one.severity = Severity::error;
  one.text = "e";
  report.add(one);
  CHECK(report.has_errors());
  const Reported all = report.take();
  REQUIRE(all.diagnostics.size() == kDiagnosticsMax);
  CHECK(all.diagnostics.front().text == "e");
  CHECK(all.errors == 1);
  CHECK(all.warnings == kDiagnosticsMax + 10);
  CHECK(all.left_out() == 11);
  const auto lines = with_left_out(all);
  REQUIRE(lines.size() == kDiagnosticsMax + 1);
  CHECK(lines.back().text == "and 11 more");
  CHECK_FALSE(report.has_errors());
}

TEST_CASE("what one report left out is counted by the one that it is appended to") {
  const Diagnostic error{
      .severity = Severity::error, .file = "f", .line = 1, .object = "", .field = "", .text = "e"};
  Report file;
  for (std::size_t i = 0; i < kDiagnosticsMax + 7; ++i) file.add(error);
  Report mesh;
  mesh.append(file);
  mesh.append(file);
  // Taken and given back, as check does between what was read and what was found.
  const Reported first = mesh.take();
  mesh.append(first);
  mesh.add(error);
  const Reported all = mesh.take();
  CHECK(all.errors == 2 * (kDiagnosticsMax + 7) + 1);
  CHECK(all.warnings == 0);
  CHECK(all.diagnostics.size() == kDiagnosticsMax);
}

}  // namespace
}  // namespace aquifer::manifests
