// ServiceEntries and WorkloadEntries: the services, endpoints and workloads that come of them, and
// what is said of their mistakes.
#include "config/manifests/auto_addresses.h"
#include "tests/unit/config/manifests/fixtures.h"

#include <doctest/doctest.h>

#include <set>

namespace aquifer::manifests {
namespace {

using namespace test;

std::string entry(std::string_view spec, std::string_view name = "ext",
                  std::string_view more = "labels: {}") {
  return fmt::format(
      "---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\n"
      "metadata: {{name: {}, namespace: default, {}}}\nspec: {}\n",
      name, more, spec);
}

std::string vm(std::string_view name, std::string_view spec, std::string_view more = "labels: {}") {
  return fmt::format(
      "---\napiVersion: networking.istio.io/v1\nkind: WorkloadEntry\n"
      "metadata: {{name: {}, namespace: default, {}}}\nspec: {}\n",
      name, more, spec);
}

const model::ServiceRecord& record(const Loaded& mesh, std::string_view host) {
  for (const auto& found : mesh.state.services) {
    if (found.service->hostname == host) return found;
  }
  throw std::runtime_error("no service " + std::string(host) + ": " + mesh.text());
}

constexpr const char* kPorts =
    "ports: [{number: 443, name: https, protocol: TLS, targetPort: 8443}]";

TEST_CASE("a static entry is one service for each host, served by its endpoints") {
  const Loaded mesh = load_text(entry(fmt::format(
      "{{hosts: [a.example.com, B.example.com], addresses: [240.1.0.1, 10.5.0.0/16], {}, "
      "resolution: STATIC, location: MESH_EXTERNAL, "
      "subjectAltNames: ['spiffe://cluster.local/ns/x/sa/y'], "
      "endpoints: [{{address: 10.9.0.1, weight: 3, locality: r1/z1, labels: {{app: x}}}}, "
      "{{address: 'fd00::9', ports: {{https: 9443}}}}]}}",
      kPorts)));
  CHECK(mesh.text() == "");
  CHECK(mesh.state.services.size() == 2);
  const auto& found = record(mesh, "b.example.com");
  CHECK(found.service->vips ==
        std::vector<model::NetworkAddress>{{"", IpAddress::parse("240.1.0.1").value()}});
  CHECK(found.service->cidr_vips.at(0).cidr.to_string() == "10.5.0.0/16");
  CHECK(found.service->subject_alt_names.size() == 1);
  CHECK(found.service->canonical);
  REQUIRE(found.endpoints->endpoints.size() == 2);
  CHECK(found.endpoints->weight_max == 3);
  const auto snapshot = mesh.snapshot();
  std::set<std::string> seen;
  for (const auto& endpoint : found.endpoints->endpoints) {
    const auto& workload = snapshot->workload_by_uid(endpoint.workload_uid);
    REQUIRE(workload != nullptr);
    seen.insert(fmt::format("{}:{}", workload->addresses.at(0).to_string(),
                            endpoint.target_port(443).value_or(0)));
    CHECK(workload->protocol == model::TunnelProtocol::tcp);
    CHECK(workload->identity.empty());
  }
  CHECK(seen == std::set<std::string>{"10.9.0.1:8443", "fd00::9:9443"});
  const auto& placed =
      snapshot->workload_by_uid("Kubernetes/networking.istio.io/ServiceEntry/default/ext/10.9.0.1");
  CHECK(placed->locality.region == "r1");
  CHECK(placed->locality.zone == "z1");
  CHECK(placed->canonical_name == "x");
}

TEST_CASE("a DNS entry without endpoints is served by each host itself") {
  const Loaded mesh = load_text(entry(fmt::format(
      "{{hosts: [a.example.com, b.example.com], addresses: [240.1.0.1], {}, resolution: DNS}}",
      kPorts)));
  CHECK(mesh.text() == "");
  const auto& found = record(mesh, "a.example.com");
  REQUIRE(found.endpoints->endpoints.size() == 1);
  const auto snapshot = mesh.snapshot();
  const auto& workload = snapshot->workload_by_uid(found.endpoints->endpoints[0].workload_uid);
  CHECK(workload->hostname == "a.example.com");
  CHECK(workload->addresses.empty());
}

TEST_CASE("a DNS entry's endpoints may be host names of their own") {
  const Loaded mesh = load_text(
      entry(fmt::format("{{hosts: [a.example.com], {}, resolution: DNS, endpoints: [{{address: "
                        "eu.example.com}}, {{address: 10.9.0.1}}]}}",
                        kPorts)));
  CHECK(mesh.text() == "");
  CHECK(record(mesh, "a.example.com").endpoints->endpoints.size() == 2);
}

TEST_CASE("without resolution, connections keep the address that the client chose") {
  const Loaded mesh = load_text(
      entry(fmt::format("{{hosts: ['*.example.com'], addresses: [93.184.0.0/16], {}}}", kPorts)));
  CHECK(mesh.text() == "");
  const auto& found = record(mesh, "*.example.com");
  CHECK(found.service->balancing.mode == model::BalancingMode::passthrough);
  CHECK(found.service->vips.empty());
}

TEST_CASE("a selector selects pods and VMs, and so does a Service's") {
  const Loaded mesh = load_text(
      pod_yaml("p", "10.0.0.1", "labels: {app: db}") + pod_yaml("q", "10.0.0.2") +
      vm("v",
         "{address: 10.8.0.1, labels: {app: db}, ports: {sql: 15432}, weight: 5, "
         "serviceAccount: db, network: ''}") +
      entry("{hosts: [db.example.com], addresses: [240.1.0.1], ports: [{number: 5432, name: sql}], "
            "resolution: STATIC, workloadSelector: {labels: {app: db}}}") +
      service_yaml("db", "10.96.0.1", "{app: db}", "[{port: 5432, targetPort: sql}]") +
      service_yaml("db2", "10.96.0.2", "{app: db}", "[{port: 5432, targetPort: 5433}]"));
  CHECK_FALSE(mesh.broken);
  const auto port_of = [&](std::string_view host, std::string_view uid) {
    const auto* endpoint = record(mesh, host).endpoints->find(uid);
    return endpoint == nullptr ? 0 : endpoint->target_port(5432).value_or(0);
  };
  const std::string v = "Kubernetes/networking.istio.io/WorkloadEntry/default/v";
  CHECK(port_of("db.example.com", "Kubernetes//Pod/default/p") == 5432);
  CHECK(port_of("db.example.com", v) == 15432);
  CHECK(port_of("db.default.svc.cluster.local", v) == 15432);
  CHECK(port_of("db2.default.svc.cluster.local", v) == 5433);
  CHECK(record(mesh, "db.example.com").endpoints->endpoints.size() == 2);
  CHECK(record(mesh, "db.example.com").endpoints->find(v)->weight == 5);
  const auto snapshot = mesh.snapshot();
  CHECK(snapshot->workload_by_uid(v)->identity.to_string() ==
        "spiffe://cluster.local/ns/default/sa/db");
  CHECK(snapshot->workload_by_ip("", IpAddress::parse("10.8.0.1").value())->uid == v);
}

TEST_CASE("a VM that says so speaks HBONE; one that is ill is no healthy endpoint") {
  const Loaded mesh = load_text(
      vm("a", "{address: 10.8.0.1, labels: {networking.istio.io/tunnel: http}}") +
      vm("b", "{address: 10.8.0.2}", "annotations: {ambient.istio.io/redirection: enabled}") +
      vm("c", "{address: vm.example.com}") +
      "---\napiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: {name: d}\n"
      "spec: {address: 10.8.0.4}\nstatus: {conditions: [{type: Healthy, status: 'False'}]}\n");
  CHECK(mesh.text() == "");
  CHECK(mesh.workload("a")->protocol == model::TunnelProtocol::hbone);
  CHECK(mesh.workload("b")->protocol == model::TunnelProtocol::hbone);
  CHECK(mesh.workload("b")->identity.to_string() == "spiffe://cluster.local/ns/default/sa/default");
  CHECK(mesh.workload("c")->protocol == model::TunnelProtocol::tcp);
  CHECK(mesh.workload("c")->hostname == "vm.example.com");
  CHECK(mesh.workload("d")->health == model::Health::unhealthy);
}

TEST_CASE("hosts without addresses get some: the same on every node and after every change") {
  const std::string spec = fmt::format(
      "{{hosts: [a.example.com, b.example.com, '*.wild.example.com'], {}, resolution: "
      "STATIC, endpoints: [{{address: 10.9.0.1}}]}}",
      kPorts);
  const auto vips = [&](const Loaded& mesh, std::string_view host) {
    std::vector<std::string> result;
    for (const auto& vip : record(mesh, host).service->vips) result.push_back(vip.ip.to_string());
    return result;
  };
  const Loaded mesh = load_text(entry(spec));
  const auto a = vips(mesh, "a.example.com");
  REQUIRE(a.size() == 2);
  CHECK(a[0].starts_with("240.240."));
  CHECK(a[1].starts_with("2001:2::"));
  CHECK(vips(mesh, "b.example.com") != a);
  CHECK(vips(mesh, "*.wild.example.com").empty());
  std::string others;
  for (int i = 0; i < 50; ++i)
    others += entry(fmt::format("{{hosts: [h{}.example.com], {}, resolution: DNS}}", i, kPorts),
                    fmt::format("e{}", i));
  CHECK(vips(load_text(others + entry(spec)), "a.example.com") == a);
  SUBCASE("not if its label says no, nor where the client's address counts") {
    CHECK(vips(load_text(entry(spec, "ext",
                               "labels: {networking.istio.io/enable-autoallocate-ip: 'false'}")),
               "a.example.com")
              .empty());
    CHECK(vips(load_text(entry(fmt::format("{{hosts: [c.example.com], {}}}", kPorts))),
               "c.example.com")
              .empty());
  }
  SUBCASE("what a cluster has given counts") {
    const Loaded given = load_text(
        entry(spec) + "status: {addresses: [{host: a.example.com, value: 240.240.7.7}]}\n");
    CHECK(vips(given, "a.example.com") == std::vector<std::string>{"240.240.7.7"});
    CHECK(vips(given, "b.example.com").size() == 2);
  }
}

TEST_CASE("given-out addresses never meet each other, nor one that somebody has") {
  AutoAddresses addresses;
  addresses.take(IpAddress::parse("240.240.0.1").value());
  for (int i = 0; i < 5000; ++i) addresses.want("ns", "entry", fmt::format("h{}", i));
  REQUIRE(addresses.assign());
  std::set<std::string> seen{"240.240.0.1"};
  for (int i = 0; i < 5000; ++i) {
    for (const IpAddress& address : addresses.of("ns", "entry", fmt::format("h{}", i)))
      CHECK(seen.insert(address.to_string()).second);
  }
  CHECK(seen.size() == 10001);
}

TEST_CASE("one host name: the Service counts before the entry, the oldest entry is canonical") {
  const std::string age = "creationTimestamp: '2026-0{}-01T00:00:00Z'";
  const auto in_ns = [&](std::string_view ns, int month) {
    return fmt::format(
        "---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\n"
        "metadata: {{name: e, namespace: {}, creationTimestamp: '2026-0{}-01T00:00:00Z'}}\n"
        "spec: {{hosts: [x.example.com], addresses: [240.1.0.{}], {}, resolution: DNS}}\n",
        ns, month, month, kPorts);
  };
  const Loaded mesh = load_text(in_ns("young", 5) + in_ns("old", 2) + in_ns("middle", 3));
  CHECK(mesh.text() == "");
  for (const auto& found : mesh.state.services) {
    CAPTURE(found.service->ns);
    CHECK(found.service->canonical == (found.service->ns == "old"));
  }
  const Loaded both = load_text(
      service_yaml("web", "10.96.0.1", "{}", "[{port: 80}]") +
      entry(fmt::format("{{hosts: [web.default.svc.cluster.local], addresses: [240.1.0.1], {}, "
                        "resolution: DNS}}",
                        kPorts)));
  CHECK(both.state.services.size() == 1);
  CHECK(both.state.services[0].service->name == "web");
  CHECK(mentions(both, "is also the host of Service default/web in this namespace, which counts"));
}

TEST_CASE("exportTo and traffic distribution, from the spec, the annotation and the namespace") {
  const Loaded mesh = load_text(
      "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: default, annotations: "
      "{networking.istio.io/traffic-distribution: PreferSameNode}}\n" +
      entry(fmt::format("{{hosts: [a.example.com], addresses: [240.1.0.1], {}, resolution: DNS, "
                        "exportTo: ['.', other]}}",
                        kPorts)) +
      "---\napiVersion: v1\nkind: Service\nmetadata: {name: s, namespace: default, annotations: "
      "{networking.istio.io/exportTo: '~', networking.istio.io/traffic-distribution: "
      "PreferClose}}\nspec: {clusterIP: 10.96.0.1, ports: [{port: 80}], ipFamilies: [IPv4], "
      "publishNotReadyAddresses: true}\n");
  CHECK(mesh.text() == "");
  const auto& external = *record(mesh, "a.example.com").service;
  CHECK(external.export_to == std::vector<std::string>{"default", "other"});
  CHECK(external.balancing.scopes.back() == model::RoutingScope::node);
  const auto& service = *record(mesh, "s.default.svc.cluster.local").service;
  CHECK(service.export_to == std::vector<std::string>{"~"});
  CHECK(service.balancing.scopes.back() == model::RoutingScope::zone);
  CHECK(service.balancing.health == model::HealthPolicy::allow_all);
  CHECK(service.ip_families == model::IpFamilies::v4);
}

TEST_CASE("a pod stands where its node stands, unless it says otherwise") {
  const Loaded mesh = load_text(
      "apiVersion: v1\nkind: Node\nmetadata: {name: node1, labels: {topology.kubernetes.io/zone: "
      "z1, topology.kubernetes.io/region: r1}}\nspec: {}\n" +
      pod_yaml("a", "10.0.0.1") +
      pod_yaml("b", "10.0.0.2", "labels: {topology.kubernetes.io/zone: z2}"));
  CHECK(mesh.text() == "");
  CHECK(mesh.workload("a")->locality.zone == "z1");
  CHECK(mesh.workload("b")->locality.zone == "z2");
  CHECK(mesh.workload("b")->locality.region == "r1");
}

struct Mistake {
  std::string text;
  const char* line;
};

TEST_CASE("mistakes are said with place, field and mend, and refuse the mesh") {
  const std::string good = fmt::format("hosts: [a.example.com], {}", kPorts);
  for (const Mistake& row : std::vector<Mistake>{
           {entry(fmt::format("{{{}}}", kPorts)),
            "ServiceEntry default/ext: spec.hosts: missing: write the host names that this entry "
            "is "
            "about"},
           {entry("{hosts: [a.example.com]}"),
            "ServiceEntry default/ext: spec.ports: missing: write the ports that clients use"},
           {entry(fmt::format("{{hosts: ['not a host'], {}}}", kPorts)),
            "spec.hosts: \"not a host\" is no host name: write one such as api.example.com"},
           {entry(fmt::format("{{hosts: ['*'], {}}}", kPorts)), "\"*\" is no host name"},
           {entry(fmt::format("{{hosts: [a.example.com, A.example.com], {}}}", kPorts)),
            "\"a.example.com\" stands here twice: keep one"},
           {entry(fmt::format("{{{}, addresses: [10.0.0.0/33]}}", good)),
            "spec.addresses: \"10.0.0.0/33\" is neither an IP address nor a range: write one such "
            "as 240.1.0.1 or 10.1.0.0/16"},
           {entry(fmt::format("{{{}, resolution: MAYBE}}", good)),
            "spec.resolution: \"MAYBE\" is not known: write NONE, STATIC, DNS or DNS_ROUND_ROBIN"},
           {entry(fmt::format("{{{}, location: MOON}}", good)),
            "spec.location: \"MOON\" is not known: write MESH_EXTERNAL or MESH_INTERNAL"},
           {entry("{hosts: [a.example.com], ports: [{name: x}]}"),
            "spec.ports[0].number: missing: write the port that clients use"},
           {entry("{hosts: [a.example.com], ports: [{number: 1}, {number: 1}]}"),
            "spec.ports[1].number: 1 stands here twice: keep one"},
           {entry(fmt::format("{{{}, endpoints: [{{address: 10.0.0.1}}]}}", good)),
            "spec.resolution: NONE sends connections to the address that the client chose"},
           {entry(fmt::format(
                "{{{}, resolution: STATIC, endpoints: [{{address: db.example.com}}]}}", good)),
            "spec.endpoints: \"db.example.com\" is no IP address: write one, or resolution: DNS"},
           {entry(fmt::format("{{{}, resolution: STATIC, endpoints: [{{address: 10.0.0.1}}, "
                              "{{address: 10.0.0.1}}]}}",
                              good)),
            "spec.endpoints: 10.0.0.1 stands here twice: keep one"},
           {entry(fmt::format("{{{}, resolution: STATIC, endpoints: [{{address: 10.0.0.1}}], "
                              "workloadSelector: {{labels: {{a: b}}}}}}",
                              good)),
            "spec.workloadSelector: stands beside endpoints: keep one of them"},
           {entry(fmt::format("{{{}, workloadSelector: {{}}}}", good)),
            "spec.workloadSelector.labels: missing: write the labels of the workloads"},
           {entry(fmt::format("{{hosts: ['*.example.com'], {}, resolution: DNS}}", kPorts)),
            "spec.hosts: \"*.example.com\" cannot be resolved: write host names without '*', or "
            "endpoints"},
           {vm("v", "{}"),
            "WorkloadEntry default/v: spec.address: missing: write an IP address or "
            "a host name"},
           {vm("v", "{address: 10.0.0.300}"),
            "spec.address: \"10.0.0.300\" is neither an IP address nor a host name"},
           {vm("v", "{address: 'unix:///run/x'}"), "UNIX sockets are not reached from other nodes"},
           {vm("v", "{address: 10.0.0.1, ports: {http: 99999}}"),
            "spec.ports: http: \"99999\" is no port: write a number from 1 to 65535"},
           {vm("v", "{address: 10.0.0.1, serviceAccount: 'A/b'}"),
            "spec.serviceAccount: not a Kubernetes name"},
           {vm("v", "{address: 10.0.0.1}") + vm("v", "{address: 10.0.0.2}"),
            "WorkloadEntry default/v: stands here again"},
           {"apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {type: ExternalName}\n",
            "spec.externalName: missing: write the host name that this service stands for"}}) {
    CAPTURE(row.line);
    const Loaded mesh = load_text(row.text);
    CAPTURE(mesh.text());
    CHECK(mesh.broken);
    CHECK(mentions(mesh, row.line));
  }
}

TEST_CASE("what is doubtful is a warning") {
  for (const Mistake& row : std::vector<Mistake>{
           {entry(fmt::format("{{hosts: [a.example.com], {}, resolution: STATIC}}", kPorts)),
            "spec.endpoints: missing: connections to this entry are REFUSED"},
           {entry(fmt::format("{{hosts: [a.example.com], {}, resolution: STATIC, endpoints: "
                              "[{{address: 10.0.0.1, ports: {{sql: 1}}}}]}}",
                              kPorts)),
            "\"sql\" is no port of this ServiceEntry"},
           {entry(fmt::format("{{hosts: [a.example.com], {}, resolution: DNS, subjectAltNames: "
                              "[example.com]}}",
                              kPorts)),
            "\"example.com\" is no identity of the mesh and ignored"},
           {entry("{hosts: [a.example.com], ports: [{number: 53, protocol: UDP}]}"),
            "UDP is not carried"}}) {
    CAPTURE(row.line);
    const Loaded mesh = load_text(row.text);
    CHECK_FALSE(mesh.broken);
    CHECK(mentions(mesh, row.line));
  }
}

}  // namespace
}  // namespace aquifer::manifests
