// What `ztunnel explain` says of the end of a connection: who judges there, and why some do not.
#include "tests/unit/ztunnel/explain/asking.h"

#include <doctest/doctest.h>

#include <string>

namespace aquifer::ztunnel {
namespace {

using manifests::test::ns_yaml;
using manifests::test::pod_yaml;
using test::ask_one;
using test::has_note;

constexpr const char* kDenyAll =
    "---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n"
    "metadata: {name: deny, namespace: default}\nspec: {action: DENY, rules: [{}]}\n";

constexpr const char* kNobodyComesIn =
    "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"
    "metadata: {name: closed, namespace: default}\n"
    "spec: {podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress]}\n";

const std::string kPods =
    ns_yaml("default", "{istio.io/dataplane-mode: ambient}") +
    pod_yaml("web", "10.0.0.1", "labels: {app: web}", "nodeName: n1, serviceAccountName: web") +
    "---\napiVersion: v1\nkind: Pod\nmetadata: {name: db, namespace: default, labels: {app: db}}\n"
    "spec: {nodeName: n2, serviceAccountName: db}\n"
    "status: {podIP: 10.0.0.2, hostIP: 192.168.0.2}\n" +
    pod_yaml("adrift", "10.0.0.9", "labels: {app: adrift}", "serviceAccountName: db");

TEST_CASE("a pod without a node has no proxy: nobody judges, and no tunnel arrives") {
  const ConnectionStep tunnelled = ask_one("default/web", "10.0.0.9:80", kPods + kDenyAll);
  const EndpointStep& end = tunnelled.endpoints.front();
  CHECK(end.path == "hbone");
  CHECK(end.inbound.outcome == Outcome::not_asked);
  CHECK(end.inbound.reason == "it is enrolled, but has no nodeName: no proxy stands before it");
  CHECK(end.inbound.policies.empty());
  CHECK(has_note(end.inbound.notes, "nobody takes the tunnel"));
  CHECK(end.outcome == Outcome::fails);
  CHECK(tunnelled.outcome == Outcome::fails);

  const ConnectionStep plain = ask_one("198.51.100.1", "10.0.0.9:80", kPods + kDenyAll);
  CHECK(plain.endpoints.front().inbound.outcome == Outcome::not_asked);
  CHECK(plain.outcome == Outcome::allowed);
}

TEST_CASE("why NetworkPolicies let the pod's own node pass is said") {
  const ConnectionStep node = ask_one("192.168.0.2", "10.0.0.2:80", kPods + kNobodyComesIn);
  CHECK(node.outcome == Outcome::allowed);
  CHECK(has_note(node.endpoints.front().inbound.notes,
                 "a pod and its own node always reach each other"));
  const ConnectionStep other = ask_one("192.168.0.9", "10.0.0.2:80", kPods + kNobodyComesIn);
  CHECK(other.outcome == Outcome::denied);
  CHECK(other.endpoints.front().inbound.notes.empty());
}

TEST_CASE("without the mesh, an address of a ServiceEntry is an address as any other") {
  const std::string mesh =
      kPods +
      "---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\n"
      "metadata: {name: ext, namespace: default}\n"
      "spec: {hosts: [ext.example], addresses: [203.0.113.7], ports: [{number: 80, name: http, "
      "protocol: TCP}], resolution: STATIC, location: MESH_INTERNAL, workloadSelector: {labels: "
      "{app: db}}}\n" +
      kDenyAll;
  CHECK(ask_one("default/web", "203.0.113.7:80", mesh).outcome == Outcome::denied);
  const ConnectionStep plain = ask_one("198.51.100.1", "203.0.113.7:80", mesh);
  CHECK(plain.outcome == Outcome::allowed);
  REQUIRE(plain.endpoints.size() == 1);
  CHECK(plain.endpoints.front().address == "203.0.113.7:80");
  CHECK(plain.endpoints.front().workload.empty());
  CHECK(plain.service.empty());
  CHECK(has_note(plain.notes, "known to the mesh only"));
}

}  // namespace
}  // namespace aquifer::ztunnel
