// Every lint says its line for the mesh that bites, with the place, and nothing for a healthy one.
#include "config/manifests/lint/lint.h"

#include "tests/unit/config/manifests/fixtures.h"

#include <doctest/doctest.h>

#include <string>

namespace aquifer::manifests {
namespace {

using namespace test;

struct Row {
  std::string text;
  std::string findings;
};

void check_rows(std::initializer_list<Row> rows) {
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(findings(row.text) == row.findings);
  }
}

const std::string kAmbient = ns_yaml("default", "{istio.io/dataplane-mode: ambient}");

TEST_CASE("a healthy mesh gives no line") {
  CHECK(findings("") == "");
  CHECK(findings(kAmbient + pod_yaml("web", "10.0.0.1", "labels: {app: web}") +
                 service_yaml("web", "10.96.0.1", "{app: web}", "[{port: 80, targetPort: 8080}]") +
                 service_yaml("head", "None", "{app: web}", "[{port: 80}]") +
                 "---\napiVersion: v1\nkind: Service\nmetadata: {name: far}\n"
                 "spec: {type: ExternalName, externalName: example.org}\n") == "");
}

TEST_CASE("a label that nearly steers the mesh is told the name it was meant to have") {
  const std::string head = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n  labels:\n";
  const auto line = [](std::string_view name, std::string_view meant) {
    return fmt::format(
        "mesh.yaml:6: warning: Namespace shop: metadata.labels: {}: nobody reads this label: write "
        "{}\n",
        name, meant);
  };
  for (const char* name :
       {"istio.io/dataplane_mode", "istio.io/data-plane-mode", "istio.io/dataplane-mod",
        "dataplane-mode", "ambient.istio.io/dataplane-mode", "istio.io/dataplaneMode"}) {
    CAPTURE(name);
    CHECK(findings(fmt::format("{}    {}: ambient\n", head, name)) ==
          line(name, "istio.io/dataplane-mode"));
  }
  CHECK(findings(head + "    istio.io/use-waypoints: none\n") ==
        line("istio.io/use-waypoints", "istio.io/use-waypoint"));
  // Neighbours in spelling that mean something else, and other people's labels.
  for (const char* name : {"istio.io/rev", "istio.io/ingress-use-waypoint", "istio-injection",
                           "kubernetes.io/metadata.name", "topology.istio.io/network", "mode"}) {
    CAPTURE(name);
    CHECK(findings(fmt::format("{}    {}: x\n", head, name)) == "");
  }
}

TEST_CASE("a steering label with a value nobody knows is told the values") {
  check_rows({
      {"apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n  labels:\n"
       "    istio.io/dataplane-mode: Ambient\n",
       "mesh.yaml:6: warning: Namespace shop: metadata.labels: istio.io/dataplane-mode: "
       "\"Ambient\" is "
       "not known and has no effect: write ambient or none\n"},
  });
}

TEST_CASE("a label on a kind that does not read it, or written as an annotation, is said") {
  const std::string service = service_yaml("web", "10.96.0.1", "{app: web}", "[{port: 80}]");
  const std::string pod = pod_yaml("web", "10.0.0.1", "labels: {app: web}");
  std::string labelled = service;
  labelled.replace(labelled.find("namespace: default"), 18,
                   "namespace: default,\n  labels: {istio.io/dataplane-mode: ambient}");
  CHECK(findings(labelled + pod) ==
        "mesh.yaml:5: warning: Service default/web: metadata.labels: istio.io/dataplane-mode: a "
        "Service "
        "does not read it: write it on a Namespace or Pod\n");
  CHECK(findings(pod_yaml("web", "10.0.0.1", "annotations: {istio.io/use-waypoint: way}")) ==
        "mesh.yaml:4: warning: Pod default/web: metadata.annotations: istio.io/use-waypoint: is "
        "read as a "
        "label only: write it under labels\n");
  CHECK(findings(pod_yaml("web", "10.0.0.1", "labels: {istio.io/use-waypoint-namespace: way}")) ==
        "mesh.yaml:4: warning: Pod default/web: metadata.labels: istio.io/use-waypoint-namespace: "
        "has no "
        "effect alone: write istio.io/use-waypoint, too\n");
  // Istio copies a Gateway's labels to the pods it makes.
  CHECK(findings(
            pod_yaml("way-1", "10.0.0.1",
                     "labels: {gateway.networking.k8s.io/gateway-name: way, istio.io/waypoint-for: "
                     "service}")) == "");
}

TEST_CASE("labels of entries are looked at, too") {
  const std::string entry =
      "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata:\n  name: api\n  labels:\n"
      "    istio.io/dataplane-mode: ambient\nspec: {hosts: [api.example.com], ports: [{number: "
      "443, "
      "name: tls, protocol: TLS}], resolution: DNS}\n";
  CHECK(
      findings(entry) ==
      "mesh.yaml:6: warning: ServiceEntry default/api: metadata.labels: istio.io/dataplane-mode: a "
      "ServiceEntry does not read it: write it on a Namespace or Pod\n");
}

TEST_CASE("pods whose labels ask for a mesh that they do not get are named") {
  check_rows({
      {kAmbient + pod_yaml("web", "10.0.0.1", "annotations: {sidecar.istio.io/status: x}"),
       "mesh.yaml:8: warning: Pod default/web: metadata.annotations: sidecar.istio.io/status: the "
       "pod "
       "has a sidecar and so stays out of the ambient mesh that its namespace asks for: make it "
       "again "
       "without the sidecar, or label it istio.io/dataplane-mode: none\n"},
      // It says itself that it stays out.
      {kAmbient + pod_yaml("web", "10.0.0.1",
                           "annotations: {sidecar.istio.io/status: x}, labels: "
                           "{istio.io/dataplane-mode: none}"),
       ""},
      {pod_yaml("web", "10.0.0.1", "annotations: {sidecar.istio.io/status: x}"), ""},
      {pod_yaml("web", "10.0.0.1", "labels: {istio.io/dataplane-mode: ambient}",
                "nodeName: node1, hostNetwork: true"),
       "mesh.yaml:4: warning: Pod default/web: metadata.labels: istio.io/dataplane-mode: has no "
       "effect "
       "on a pod of the host's network, whose traffic is never captured: take the label or "
       "hostNetwork away\n"},
      {kAmbient +
           "---\napiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: way}\n"
           "spec: {gatewayClassName: istio-waypoint, listeners: [{name: mesh, port: 15008, "
           "protocol: HBONE}]}\n" +
           pod_yaml("way-1", "10.0.0.1", "labels: {gateway.networking.k8s.io/gateway-name: way}"),
       "mesh.yaml:13: warning: Pod default/way-1: metadata.labels: istio.io/dataplane-mode: this "
       "pod is "
       "the proxy of Gateway way and its own traffic would be captured once more: label it "
       "istio.io/dataplane-mode: none\n"},
  });
}

TEST_CASE("pods of a namespace that is nowhere are told the namespace they were meant for") {
  const std::string pod =
      "---\napiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: shpo}\n"
      "spec: {nodeName: n}\nstatus: {podIP: 10.0.0.1}\n";
  CHECK(findings(ns_yaml("shop") + pod) ==
        "mesh.yaml:8: warning: Pod shpo/web: metadata.namespace: there is no Namespace shpo, so "
        "its pods "
        "are in the mesh only by labels of their own: write shop, or add that Namespace\n");
  // Without any Namespace nothing was left out.
  CHECK(findings(pod) == "");
}

TEST_CASE("a service whose selector matches no pod is told which label nobody has") {
  const auto service = [](std::string_view selector) {
    return service_yaml("web", "10.96.0.1", selector, "[{port: 80}]");
  };
  const std::string start = "mesh.yaml:5: warning: Service default/web: spec.selector: ";
  const std::string mend = ". Write labels that its pods have\n";
  check_rows({
      {service("{app: web}"), start + "selects no pod: namespace default has no pods" + mend},
      {service("{app: web}") + pod_yaml("a", "10.0.0.1", "labels: {app: wep}") +
           pod_yaml("b", "10.0.0.2", "labels: {app: db}"),
       start + "selects no pod: no pod of namespace default has app=web; there is app=db, app=wep" +
           mend},
      {service("{app: web}") + pod_yaml("a", "10.0.0.1"),
       start + "selects no pod: no pod of namespace default has a label app" + mend},
      {service("{app: web, tier: front}") +
           pod_yaml("a", "10.0.0.1", "labels: {app: web, tier: back}") +
           pod_yaml("b", "10.0.0.2", "labels: {app: db, tier: front}"),
       start + "selects no pod: no pod of namespace default has all of app=web, tier=front" + mend},
      {service("{app: web}") +
           "---\napiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: shop, "
           "labels: {app: web}}\nspec: {nodeName: n}\nstatus: {podIP: 10.0.0.1}\n",
       start +
           "selects no pod: namespace default has no pods; a service takes pods of its own "
           "namespace "
           "only, and these are in shop" +
           mend},
      {service("{}"),
       "mesh.yaml:5: warning: Service default/web: spec.selector: missing, and there is no "
       "EndpointSlice "
       "of this service: nobody serves it; write a selector of its pods\n"},
  });
}

TEST_CASE("a service whose pods are not ready, or declare other ports, is told so") {
  const std::string service =
      service_yaml("web", "10.96.0.1", "{app: web}", "[{port: 80, targetPort: 8080}]");
  const std::string not_ready =
      "---\napiVersion: v1\nkind: Pod\nmetadata: {name: a, labels: {app: web}}\nspec: {nodeName: "
      "n}\n"
      "status: {podIP: 10.0.0.1, conditions: [{type: Ready, status: 'False'}]}\n";
  const auto ports = [](std::string_view list) {
    return pod_yaml("b", "10.0.0.2", "labels: {app: web}",
                    fmt::format("nodeName: n, containers: [{{name: c, ports: {}}}]", list));
  };
  check_rows({
      {service + not_ready,
       "mesh.yaml:5: warning: Service default/web: spec.selector: none of the selected pods is "
       "ready "
       "(a): connections to it fail\n"},
      {service + ports("[{containerPort: 80}, {containerPort: 443}]"),
       "mesh.yaml:5: warning: Service default/web: spec.ports.targetPort: no container of the "
       "selected "
       "pods declares TCP port 8080; they declare 443, 80: write one of those\n"},
      {service + ports("[{containerPort: 8080}]"), ""},
      // A container may serve what it does not declare.
      {service + ports("[]"), ""},
      {service + ports("[{containerPort: 8080, protocol: UDP}]"), ""},
  });
}

TEST_CASE("slices that serve nobody, and ports that no slice has, are said") {
  const auto slice = [](std::string_view service, std::string_view rest) {
    return fmt::format(
        "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: s, labels: "
        "{{kubernetes.io/service-name: {}}}}}\naddressType: IPv4\n{}",
        service, rest);
  };
  const std::string service = service_yaml("web", "10.96.0.1", "{}", "[{port: 80, name: http}]");
  const std::string ready = "endpoints: [{addresses: [10.0.0.9]}]\n";
  check_rows({
      {slice("wep", ready),
       "mesh.yaml:4: warning: EndpointSlice default/s: metadata.labels: "
       "kubernetes.io/service-name: there is no Service \"wep\" in namespace default: "
       "the slice serves nobody; write the name of one\n"},
      {service + slice("web", ready + "ports: [{name: http, port: 8080}]\n"), ""},
      {service + slice("web", ready + "ports: [{name: htpp, port: 8080}]\n"),
       "mesh.yaml:5: warning: Service default/web: spec.ports.port: no EndpointSlice of this "
       "service "
       "has a "
       "TCP port named \"http\": nobody serves port 80; the names must be the same\n"},
      {service + slice("web",
                       "endpoints: [{addresses: [10.0.0.9], conditions: {ready: false}}]\n"
                       "ports: [{name: http, port: 8080}]\n"),
       "mesh.yaml:2: warning: Service default/web: no endpoint of its EndpointSlices is ready: "
       "connections to it fail\n"},
  });
}

TEST_CASE("a service at a pod's address is an error, for the pod is gone behind it") {
  CHECK(findings(service_yaml("web", "10.0.0.1", "{app: web}", "[{port: 80}]") +
                 pod_yaml("a", "10.0.0.1", "labels: {app: web}")) ==
        "mesh.yaml:5: Service default/web: spec.clusterIP: 10.0.0.1 is also the address of Pod "
        "default/a, "
        "which nobody reaches by it any more: write another\n");
}

TEST_CASE("a waypoint that is named and not there is an error with the nearest name") {
  const std::string gateway =
      "---\napiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\n"
      "metadata: {name: way, namespace: infra}\n"
      "spec: {gatewayClassName: istio-waypoint}\n";
  const auto ns = [](std::string_view labels) { return ns_yaml("shop", labels); };
  const std::string start =
      "mesh.yaml:4: Namespace shop: metadata.labels: istio.io/use-waypoint: there is "
      "no Gateway ";
  const std::string harm = ": connections to its services are REFUSED; ";
  check_rows({
      {ns("{istio.io/use-waypoint: way}"),
       start + "shop/way" + harm +
           "add the Gateway (gatewayClassName: istio-waypoint), or take the label away\n"},
      {ns("{istio.io/use-waypoint: way}") + gateway,
       start + "shop/way" + harm + "write istio.io/use-waypoint-namespace: infra\n"},
      {ns("{istio.io/use-waypoint: wya, istio.io/use-waypoint-namespace: infra}") + gateway,
       start + "infra/wya" + harm + "write way\n"},
      {ns("{istio.io/use-waypoint: way, istio.io/use-waypoint-namespace: infra}") + gateway, ""},
      {ns("{istio.io/use-waypoint: none}"), ""},
  });
}

TEST_CASE("a waypoint that nobody answers for is an error, for those behind it are cut off") {
  const std::string mesh =
      "---\napiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: way}\n"
      "spec: {gatewayClassName: istio-waypoint, listeners: [{name: m, port: 15008, protocol: "
      "HBONE}]}\n" +
      pod_yaml("web", "10.0.0.1", "labels: {app: web}") +
      "---\napiVersion: v1\nkind: Service\nmetadata: {name: web, labels: {istio.io/use-waypoint: "
      "way}}\nspec: {clusterIP: 10.96.0.1, selector: {app: web}, ports: [{port: 80}]}\n";
  const std::string start =
      "mesh.yaml:4: Gateway default/way: metadata.name: no Service stands for it: connections of "
      "those who name this waypoint are REFUSED; add the Service that Istio makes for it\n";
  CHECK(findings(mesh) == start);
  const std::string service =
      service_yaml("way", "10.96.0.2", "{gateway.networking.k8s.io/gateway-name: way}",
                   "[{port: 15008, name: mesh}]");
  const auto pod = [](std::string_view ready) {
    return fmt::format(
        "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: way-1, labels: "
        "{{gateway.networking.k8s.io/gateway-name: way}}}}\nspec: {{nodeName: n}}\nstatus: "
        "{{podIP: "
        "10.0.0.9, conditions: [{{type: Ready, status: '{}'}}]}}\n",
        ready);
  };
  CHECK(findings(mesh + service + pod("True")) == "");
  CHECK(
      findings(mesh + service + pod("False"))
          .starts_with("mesh.yaml:4: Gateway default/way: metadata.name: no ready pod answers for "
                       "it: connections of those who name this waypoint are REFUSED; look at the "
                       "pods of Service default/way\n"));
}

TEST_CASE("a waypoint that is not for what names it is said") {
  const std::string gateway =
      "---\napiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\n"
      "metadata: {name: way}\nspec: {gatewayClassName: istio-waypoint}\n";
  CHECK(
      findings(gateway + pod_yaml("web", "10.0.0.1", "labels: {istio.io/use-waypoint: way}")) ==
      "mesh.yaml:9: warning: Pod default/web: metadata.labels: istio.io/use-waypoint: Gateway "
      "default/way "
      "is for services only (istio.io/waypoint-for) and so stands before no pod: label the Gateway "
      "istio.io/waypoint-for: workload, or all\n");
}

}  // namespace
}  // namespace aquifer::manifests
