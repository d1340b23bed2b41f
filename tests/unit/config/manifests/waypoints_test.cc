// What Gateways and the labels of others come to: who is behind which waypoint, and where it is.
#include "tests/unit/config/manifests/fixtures.h"

#include <doctest/doctest.h>

namespace aquifer::manifests {
namespace {

using namespace test;

// `more` goes into metadata.
std::string gateway(std::string_view name, std::string_view more = "labels: {}",
                    std::string_view status = "{}", std::string_view ns = "default") {
  return fmt::format(
      "---\napiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\n"
      "metadata: {{name: {}, namespace: {}, {}}}\n"
      "spec: {{gatewayClassName: istio-waypoint, listeners: [{{name: mesh, port: 15008, protocol: "
      "HBONE, allowedRoutes: {{namespaces: {{from: Same}}}}}}]}}\n"
      "status: {}\n",
      name, ns, more, status);
}

std::string service_of(std::string_view labels, std::string_view annotations = "{}") {
  return fmt::format(
      "---\napiVersion: v1\nkind: Service\nmetadata: {{name: web, namespace: default, labels: {}, "
      "annotations: {}}}\nspec: {{clusterIP: 10.96.0.1, ports: [{{port: 80}}]}}\n",
      labels, annotations);
}

const model::Service& web(const Loaded& mesh) {
  for (const auto& record : mesh.state.services) {
    if (record.service->name == "web") return *record.service;
  }
  throw std::runtime_error("no service web: " + mesh.text());
}

TEST_CASE("a waypoint is found by its status: an address or a host name, else by its service") {
  const auto ref_with = [](std::string_view status, const std::string& more = "") {
    return web(load_text(gateway("wp", "labels: {}", status) +
                         service_of("{istio.io/use-waypoint: wp}") + more))
        .waypoints.at(0);
  };
  const auto address = ref_with("{addresses: [{type: IPAddress, value: 10.96.0.50}]}");
  CHECK(address.address->ip.to_string() == "10.96.0.50");
  CHECK(address.port == 15008);
  const auto host =
      ref_with("{addresses: [{type: Hostname, value: wp.default.svc.cluster.local}]}");
  CHECK_FALSE(host.address);
  CHECK(host.hostname == "wp.default.svc.cluster.local");
  CHECK(host.ns == "default");
  CHECK(ref_with("{}").hostname == "wp.default.svc.cluster.local");
  const std::string labelled =
      "---\napiVersion: v1\nkind: Service\nmetadata: {name: wp-istio, labels: "
      "{gateway.networking.k8s.io/gateway-name: wp}}\nspec: {clusterIP: 10.96.0.9}\n";
  CHECK(ref_with("{}", labelled).hostname == "wp-istio.default.svc.cluster.local");
}

TEST_CASE("the port of the HBONE listener is the waypoint's") {
  std::string text = gateway("wp");
  text.replace(text.find("15008"), 5, "15088");
  CHECK(web(load_text(text + service_of("{istio.io/use-waypoint: wp}"))).waypoints.at(0).port ==
        15088);
}

TEST_CASE("the object's label counts before its namespace's, and none takes it out") {
  const std::string base =
      ns_yaml("default", "{istio.io/use-waypoint: wp}") + gateway("wp") + gateway("mine");
  CHECK(web(load_text(base + service_of("{}"))).waypoints.at(0).name == "default/wp");
  CHECK(web(load_text(base + service_of("{istio.io/use-waypoint: mine}"))).waypoints.at(0).name ==
        "default/mine");
  CHECK(web(load_text(base + service_of("{istio.io/use-waypoint: none}"))).waypoints.empty());
}

TEST_CASE("a waypoint of another namespace is named by a second label, and says who may use it") {
  const std::string user =
      service_of("{istio.io/use-waypoint: wp, istio.io/use-waypoint-namespace: infra}");
  const Loaded closed = load_text(gateway("wp", "labels: {}", "{}", "infra") + user);
  CHECK(web(closed).waypoints.at(0).name == "infra/wp");
  CHECK(web(closed).waypoints.at(0).hostname == "wp.infra.svc.cluster.local");
  CHECK(mentions(closed, "write allowedRoutes.namespaces.from: All into its listener"));
  std::string open = gateway("wp", "labels: {}", "{}", "infra");
  open.replace(open.find("from: Same"), 10, "from: All");
  CHECK(load_text(open + user).text() == "");
}

TEST_CASE("whom a waypoint is for: services by default, workloads, all or none") {
  struct Row {
    const char* purpose;
    bool service;
    bool workload;
  };
  for (const Row& row : {Row{"service", true, false}, Row{"workload", false, true},
                         Row{"all", true, true}, Row{"none", false, false}}) {
    CAPTURE(row.purpose);
    const Loaded mesh =
        load_text(gateway("wp", fmt::format("labels: {{istio.io/waypoint-for: {}}}", row.purpose)) +
                  service_of("{istio.io/use-waypoint: wp}") +
                  pod_yaml("a", "10.0.0.1", "labels: {istio.io/use-waypoint: wp}"));
    CHECK(web(mesh).waypoints.empty() != row.service);
    CHECK(mesh.workload("a")->waypoint.has_value() == row.workload);
  }
  const Loaded odd = load_text(gateway("wp", "labels: {istio.io/waypoint-for: services}"));
  CHECK(mentions(odd,
                 "istio.io/waypoint-for: \"services\" is not known and read as service: write "
                 "service, workload, all or none"));
}

TEST_CASE("a canary takes its share; without a weight, or a waypoint beside it, none") {
  const std::string base = gateway("wp") + gateway("next");
  const std::string labels = "{istio.io/use-waypoint: wp, istio.io/use-waypoint-canary: next}";
  const Loaded mesh =
      load_text(base + service_of(labels, "{istio.io/use-waypoint-canary-weight: '10'}"));
  const auto& both = web(mesh).waypoints;
  REQUIRE(both.size() == 2);
  CHECK(both[0].weight == 90);
  CHECK(both[1].name == "default/next");
  CHECK(both[1].weight == 10);
  CHECK(web(load_text(base + service_of(labels))).waypoints.size() == 1);
  CHECK(web(load_text(base + service_of("{istio.io/use-waypoint-canary: next}",
                                        "{istio.io/use-waypoint-canary-weight: '10'}")))
            .waypoints.empty());
}

TEST_CASE("a waypoint that does not exist is said at every label that names it") {
  const Loaded mesh = load_text(ns_yaml("default", "{istio.io/use-waypoint: nowhere}") +
                                service_of("{istio.io/use-waypoint: gone}") +
                                pod_yaml("a", "10.0.0.1", "labels: {istio.io/use-waypoint: lost}"));
  CHECK_FALSE(mesh.broken);
  for (const char* line :
       {"Namespace default: metadata.labels: istio.io/use-waypoint: there is no waypoint "
        "default/nowhere",
        "Service default/web: metadata.labels: istio.io/use-waypoint: there is no waypoint "
        "default/gone",
        "Pod default/a: metadata.labels: istio.io/use-waypoint: there is no waypoint "
        "default/lost"}) {
    CAPTURE(line);
    CHECK(mentions(mesh, line));
  }
  CHECK(mentions(mesh,
                 "connections that would pass it are REFUSED; write the name of a Gateway of "
                 "class istio-waypoint"));
  // Named and not there: nothing leads to it, whatever else has that name.
  CHECK(web(mesh).waypoints.at(0).hostname.empty());
}

TEST_CASE("a Gateway of another class is no waypoint") {
  std::string text = gateway("wp");
  text.replace(text.find("istio-waypoint"), 14, "istio");
  const Loaded mesh = load_text(text + service_of("{istio.io/use-waypoint: wp}"));
  CHECK(mentions(mesh, "\"istio\" is no waypoint's class: the Gateway has no effect here"));
  CHECK(mentions(mesh, "there is no waypoint default/wp"));
}

TEST_CASE("a Gateway's mistakes are said with their place") {
  CHECK(mentions(load_text("apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\n"
                           "metadata: {name: wp}\nspec: {listeners: []}\n"),
                 "Gateway default/wp: spec.gatewayClassName: missing: write istio-waypoint"));
  CHECK(mentions(
      load_text(gateway("wp", "labels: {}", "{addresses: [{type: IPAddress, value: 10.0.0}]}")),
      "\"10.0.0\" is not an IP address"));
}

}  // namespace
}  // namespace aquifer::manifests
