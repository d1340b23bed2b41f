// Manifests together: the workloads and services that come of them.
#include "config/manifests/assemble.h"

#include "config/model/resolve.h"
#include "tests/unit/config/manifests/fixtures.h"

#include <doctest/doctest.h>

namespace aquifer::manifests {
namespace {

using namespace test;

TEST_CASE("a pod of an ambient namespace becomes a captured HBONE workload with all its names") {
  const Loaded mesh =
      load_text(ns_yaml("default", "{istio.io/dataplane-mode: ambient}") + R"(---
apiVersion: v1
kind: Pod
metadata:
  name: web-5d4f8c7b9-x7k2p
  namespace: default
  uid: 1234
  labels: {app: web, version: v2, pod-template-hash: 5d4f8c7b9, topology.kubernetes.io/zone: z1}
  annotations: {aquifer.dev/netns: /run/netns/web}
  ownerReferences:
  - {apiVersion: apps/v1, kind: ReplicaSet, name: web-5d4f8c7b9, uid: u, controller: true}
spec:
  nodeName: node1
  serviceAccountName: web
  containers:
  - name: app
    image: nginx
    ports: [{name: http, containerPort: 8080}]
status:
  phase: Running
  podIP: 10.0.0.1
  podIPs: [{ip: 10.0.0.1}, {ip: "fd00::1"}]
  conditions: [{type: Initialized, status: "True"}, {type: Ready, status: "True"}]
)",
                {.network = "net", .cluster_id = "c1", .cluster_domain = "cluster.local"});
  CHECK(mesh.text() == "");
  const auto pod = mesh.workload("web-5d4f8c7b9-x7k2p");
  REQUIRE(pod != nullptr);
  CHECK(pod->uid == "c1//Pod/default/web-5d4f8c7b9-x7k2p");
  CHECK(pod->pod_uid == "1234");
  CHECK(pod->identity.to_string() == "spiffe://cluster.local/ns/default/sa/web");
  CHECK(pod->node == "node1");
  CHECK(pod->network == "net");
  CHECK(pod->cluster_id == "c1");
  CHECK(pod->workload_name == "web");
  CHECK(pod->workload_type == model::WorkloadType::deployment);
  CHECK(pod->canonical_name == "web");
  CHECK(pod->canonical_revision == "v2");
  CHECK(pod->locality.zone == "z1");
  CHECK(pod->addresses.size() == 2);
  CHECK(pod->protocol == model::TunnelProtocol::hbone);
  CHECK(pod->capture == model::Capture::yes);
  CHECK(pod->netns_path == "/run/netns/web");
  CHECK(pod->health == model::Health::healthy);
  CHECK(pod->tunnel_port == 15008);
}

TEST_CASE("pods that ended are no workloads; pods without an address are not yet") {
  const Loaded mesh =
      load_text(pod_yaml("runs", "10.0.0.1") +
                "---\napiVersion: v1\nkind: Pod\nmetadata: {name: done}\nspec: {nodeName: n}\n"
                "status: {phase: Succeeded, podIP: 10.0.0.1}\n"
                "---\napiVersion: v1\nkind: Pod\nmetadata: {name: waits}\nspec: {}\n"
                "status: {phase: Pending}\n");
  CHECK(mesh.text() == "");
  CHECK(mesh.state.workloads.size() == 1);
}

TEST_CASE("the mesh's trust domain is the pods'") {
  const Loaded mesh = load_text(pod_yaml("a", "10.0.0.1") + R"(---
apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data:
  mesh: |-
    trustDomain: example.org
    rootNamespace: root
    enableTracing: true
    defaultConfig:
      proxyAdminPort: 16000
      discoveryAddress: istiod:15012
      proxyMetadata: {A: b}
)");
  CHECK(mesh.text() == "");
  CHECK(mesh.workload("a")->identity.to_string() == "spiffe://example.org/ns/default/sa/default");
  CHECK(mesh.state.mesh_config.root_namespace == "root");
  CHECK(mesh.state.mesh_config.proxy.admin_port == 16000);
  CHECK(mesh.state.mesh_config.proxy.metadata.at("A") == "b");
}

TEST_CASE("other ConfigMaps are left alone, also such as would be no MeshConfig") {
  const Loaded mesh = load_text(
      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: kube-root-ca.crt}\ndata: {mesh: [1]}\n"
      "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: other}\ndata: "
      "{mesh: 'trustDomain: x'}\n");
  CHECK(mesh.text() == "");
  CHECK(mesh.state.mesh_config == model::MeshConfig{});
}

TEST_CASE("a service without slices is served by the pods that its selector selects") {
  const Loaded mesh =
      load_text(pod_yaml("yes", "10.0.0.1", "labels: {app: web, tier: a}") +
                pod_yaml("no", "10.0.0.2", "labels: {app: web}") + pod_yaml("neither", "10.0.0.3") +
                service_yaml("web", "10.96.0.1", "{app: web, tier: a}",
                             "[{port: 80, targetPort: 8080}, {port: 81}]"));
  CHECK(mesh.text() == "");
  REQUIRE(mesh.state.services.size() == 1);
  const auto& endpoints = mesh.state.services[0].endpoints->endpoints;
  REQUIRE(endpoints.size() == 1);
  CHECK(endpoints[0].workload_uid == "Kubernetes//Pod/default/yes");
  CHECK(endpoints[0].target_port(80) == 8080);
  CHECK(endpoints[0].target_port(81) == 81);
  CHECK(mesh.state.services[0].service->hostname == "web.default.svc.cluster.local");
}

TEST_CASE("a named target port is looked up in each pod") {
  const std::string named =
      "nodeName: n, containers: [{name: c, ports: [{name: http, containerPort: PORT}]}]";
  const auto with_port = [&](std::string_view port) {
    std::string spec = named;
    return spec.replace(spec.find("PORT"), 4, port);
  };
  const Loaded mesh =
      load_text(pod_yaml("a", "10.0.0.1", "labels: {app: web}", with_port("8080")) +
                pod_yaml("b", "10.0.0.2", "labels: {app: web}", with_port("9090")) +
                pod_yaml("c", "10.0.0.3", "labels: {app: web}") +
                service_yaml("web", "10.96.0.1", "{app: web}", "[{port: 80, targetPort: http}]"));
  CHECK(mesh.text() == "");
  const auto& endpoints = mesh.state.services[0].endpoints->endpoints;
  REQUIRE(endpoints.size() == 3);
  CHECK(endpoints[0].target_port(80) == 8080);
  CHECK(endpoints[1].target_port(80) == 9090);
  CHECK_FALSE(endpoints[2].target_port(80).has_value());
}

TEST_CASE("a named target port that no pod has is a warning at the port's line") {
  const Loaded mesh =
      load_text(pod_yaml("a", "10.0.0.1", "labels: {app: web}") +
                service_yaml("web", "10.96.0.1", "{app: web}", "[{port: 80, targetPort: http}]"));
  CHECK_FALSE(mesh.broken);
  CHECK(mentions(
      mesh, "mesh.yaml:11: warning: Service default/web: spec.ports: targetPort: no container"));
}

TEST_CASE("only ready pods are healthy endpoints; a service that publishes the others uses all") {
  const std::string unready =
      "---\napiVersion: v1\nkind: Pod\nmetadata: {name: a, labels: {app: web}}\nspec: {nodeName: "
      "n}\n"
      "status: {podIP: 10.0.0.1, conditions: [{type: Ready, status: \"False\"}]}\n";
  const auto policy = [&](std::string_view more) {
    const Loaded mesh =
        load_text(unready + service_yaml("web", "10.96.0.1", "{app: web}", "[{port: 80}]", more));
    CHECK(mesh.state.services[0].endpoints->endpoints[0].health == model::Health::unhealthy);
    return mesh.state.services[0].service->balancing.health;
  };
  CHECK(policy("type: ClusterIP") == model::HealthPolicy::only_healthy);
  CHECK(policy("publishNotReadyAddresses: true") == model::HealthPolicy::allow_all);
}

TEST_CASE("a pod that is being deleted serves nobody any more") {
  const Loaded mesh = load_text(
      pod_yaml("a", "10.0.0.1", "labels: {app: web}, deletionTimestamp: \"2026-01-01T00:00:00Z\"") +
      service_yaml("web", "10.96.0.1", "{app: web}", "[{port: 80}]"));
  CHECK(mesh.state.services[0].endpoints->endpoints[0].health == model::Health::unhealthy);
}

const char* const kSlices = R"(---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-v4, namespace: default, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: http, port: 8080, protocol: TCP}, {name: dns, port: 53, protocol: UDP}]
endpoints:
- {addresses: [10.0.0.1], conditions: {ready: true}, targetRef: {kind: Pod, name: a, namespace: default}}
- {addresses: [10.0.0.2], conditions: {ready: false}, targetRef: {kind: Pod, name: b, namespace: default}}
- {addresses: [192.0.2.9], nodeName: vm, zone: z}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-v6, namespace: default, labels: {kubernetes.io/service-name: web}}
addressType: IPv6
ports: [{name: http, port: 8080}]
endpoints:
- {addresses: ["fd00::1"], targetRef: {kind: Pod, name: a, namespace: default}}
)";

TEST_CASE("slices count before the selector; a pod in two of them is one endpoint") {
  const Loaded mesh = load_text(
      pod_yaml("a", "10.0.0.1") + pod_yaml("b", "10.0.0.2") +
      pod_yaml("c", "10.0.0.3", "labels: {app: web}") + kSlices +
      service_yaml("web", "10.96.0.1", "{app: web}", "[{name: http, port: 80, targetPort: http}]"));
  CHECK(mesh.text() == "");
  const auto& endpoints = mesh.state.services[0].endpoints->endpoints;
  REQUIRE(endpoints.size() == 3);
  CHECK(endpoints[0].workload_uid == "Kubernetes//Pod/default/a");
  CHECK(endpoints[0].health == model::Health::healthy);
  CHECK(endpoints[0].target_port(80) == 8080);
  CHECK(endpoints[1].workload_uid == "Kubernetes//Pod/default/b");
  CHECK(endpoints[1].health == model::Health::unhealthy);
  // An address that is no pod becomes a workload outside the mesh.
  const auto snapshot = mesh.snapshot();
  const auto& vm = snapshot->workload_by_uid(endpoints[2].workload_uid);
  REQUIRE(vm != nullptr);
  CHECK(vm->addresses.front().to_string() == "192.0.2.9");
  CHECK(vm->protocol == model::TunnelProtocol::tcp);
  CHECK(vm->identity.empty());
}

TEST_CASE("an address of a slice that is a pod's means the pod, so that it is reached by HBONE") {
  const Loaded mesh = load_text(ns_yaml("default", "{istio.io/dataplane-mode: ambient}") +
                                pod_yaml("a", "192.0.2.9") + kSlices +
                                service_yaml("web", "10.96.0.1", "{}", "[{name: http, port: 80}]"));
  const auto& endpoints = mesh.state.services[0].endpoints->endpoints;
  REQUIRE_FALSE(endpoints.empty());
  CHECK(endpoints[0].workload_uid == "Kubernetes//Pod/default/a");
}

TEST_CASE("headless services have no address, load balancers have theirs, UDP is not ours") {
  const Loaded mesh = load_text(
      service_yaml("headless", "None", "{a: b}", "[{port: 80}]") +
      "---\napiVersion: v1\nkind: Service\nmetadata: {name: lb}\n"
      "spec: {type: LoadBalancer, clusterIP: 10.96.0.2, clusterIPs: [10.96.0.2, \"fd00:96::2\"],"
      " ports: [{name: a, port: 53, protocol: UDP}, {name: b, port: 53}]}\n"
      "status: {loadBalancer: {ingress: [{ip: 203.0.113.1}, {ip: 203.0.113.2, ipMode: Proxy}, "
      "{hostname: x}]}}\n");
  CHECK(mesh.text() == "");
  CHECK(mesh.state.services[0].service->kind == model::ServiceKind::headless);
  CHECK(mesh.state.services[0].service->vips.empty());
  CHECK(mesh.state.services[1].service->vips.size() == 3);
  CHECK(mesh.state.services[1].service->ports.size() == 1);
}

TEST_CASE("lists, as kubectl prints them, are read like their items") {
  const Loaded mesh = load_text(R"(apiVersion: v1
kind: List
metadata: {resourceVersion: ""}
items:
- apiVersion: v1
  kind: Namespace
  metadata: {name: default, labels: {istio.io/dataplane-mode: ambient}}
- apiVersion: v1
  kind: Pod
  metadata: {name: a, namespace: default}
  spec: {nodeName: n}
  status: {podIP: 10.0.0.1}
)");
  CHECK(mesh.text() == "");
  CHECK(mesh.workload("a")->capture == model::Capture::yes);
}

TEST_CASE("a waypoint that is named stands between, whether it is there or not") {
  const std::string gateway =
      "---\napiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\n"
      "metadata: {name: wp, namespace: default, labels: {istio.io/waypoint-for: PURPOSE}}\nspec: "
      "{gatewayClassName: istio-waypoint}\n";
  const auto with = [&](std::string_view purpose) {
    std::string text = gateway;
    return text.replace(text.find("PURPOSE"), 7, purpose);
  };
  const std::string rest =
      ns_yaml("default", "{istio.io/use-waypoint: wp}") + pod_yaml("a", "10.0.0.1") +
      pod_yaml("own", "10.0.0.2", "labels: {istio.io/use-waypoint: mine}") +
      pod_yaml("free", "10.0.0.3", "labels: {istio.io/use-waypoint: none}") +
      pod_yaml("wp-pod", "10.0.0.4", "labels: {gateway.networking.k8s.io/gateway-name: wp}") +
      service_yaml("web", "10.96.0.1", "{}", "[{port: 80}]");
  SUBCASE("not there: services are behind it, and pods that name it themselves") {
    const Loaded mesh = load_text(rest);
    CHECK(mesh.state.services[0].service->waypoints.at(0).name == "default/wp");
    CHECK_FALSE(mesh.workload("a")->waypoint);
    CHECK(mesh.workload("own")->waypoint->name == "default/mine");
    CHECK_FALSE(mesh.workload("free")->waypoint);
    CHECK_FALSE(mesh.workload("wp-pod")->waypoint);
    CHECK(mentions(mesh,
                   "there is no waypoint default/wp: connections that would pass it are REFUSED"));
  }
  SUBCASE("for services") {
    const Loaded mesh = load_text(rest + with("service"));
    CHECK(mesh.state.services[0].service->waypoints.at(0).name == "default/wp");
    CHECK_FALSE(mesh.workload("a")->waypoint);
  }
  SUBCASE("for workloads") {
    const Loaded mesh = load_text(rest + with("workload"));
    CHECK(mesh.state.services[0].service->waypoints.empty());
    CHECK(mesh.workload("a")->waypoint->name == "default/wp");
  }
  SUBCASE("for all") {
    const Loaded mesh = load_text(rest + with("all"));
    CHECK(mesh.state.services[0].service->waypoints.at(0).name == "default/wp");
    CHECK(mesh.workload("a")->waypoint->name == "default/wp");
  }
}

TEST_CASE(
    "what was read decides connections: service to ready pod, port translated, identity expected") {
  const Loaded mesh =
      load_text(ns_yaml("default", "{istio.io/dataplane-mode: ambient}") +
                pod_yaml("client", "10.0.0.9") + pod_yaml("web", "10.0.0.1", "labels: {app: web}") +
                service_yaml("web", "10.96.0.1", "{app: web}", "[{port: 80, targetPort: 8080}]"));
  const auto snapshot = mesh.snapshot();
  const auto target =
      model::resolve(*snapshot, {snapshot->workload_by_name("default", "client"),
                                 OriginalDst(SocketAddress::parse("10.96.0.1:80").value()), 0});
  REQUIRE(target.has_value());
  CHECK(target->path == model::Path::hbone);
  CHECK(target->tunnel.addr.to_string() == "10.0.0.1:15008");
  CHECK(target->authority.addr.to_string() == "10.0.0.1:8080");
  CHECK(target->expected_identities.front().to_string() ==
        "spiffe://cluster.local/ns/default/sa/default");
}

}  // namespace
}  // namespace aquifer::manifests
