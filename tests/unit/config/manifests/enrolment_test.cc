// Istio's rules for enrolment and names, as tables.
#include "config/manifests/enrolment.h"

#include <doctest/doctest.h>

namespace aquifer::manifests {
namespace {

PodObject pod(StringMap labels, StringMap annotations = {}) {
  PodObject result;
  result.meta.name = "web-1";
  result.meta.labels = std::move(labels);
  result.meta.annotations = std::move(annotations);
  return result;
}

NamespaceObject ns(StringMap labels) {
  NamespaceObject result;
  result.meta.labels = std::move(labels);
  return result;
}

const StringMap kAmbient{{"istio.io/dataplane-mode", "ambient"}};
const StringMap kNone{{"istio.io/dataplane-mode", "none"}};
const StringMap kEnabled{{"ambient.istio.io/redirection", "enabled"}};
const StringMap kDisabled{{"ambient.istio.io/redirection", "disabled"}};
const StringMap kSidecar{{"sidecar.istio.io/status", "{}"}};

TEST_CASE("enrolment follows the namespace, unless the pod says otherwise") {
  struct Row {
    const char* what;
    StringMap namespace_labels;
    StringMap pod_labels;
    StringMap annotations;
    bool enrolled;
  };
  const Row rows[] = {
      {"nothing said", {}, {}, {}, false},
      {"namespace in", kAmbient, {}, {}, true},
      {"namespace out", kNone, {}, {}, false},
      {"pod label none overrides the namespace", kAmbient, kNone, {}, false},
      {"pod label ambient alone", {}, kAmbient, {}, true},
      {"annotation enabled wins over no label", {}, {}, kEnabled, true},
      {"annotation enabled wins over none", kAmbient, kNone, kEnabled, true},
      {"annotation disabled wins over ambient", kAmbient, kAmbient, kDisabled, false},
      {"a sidecar stays out", kAmbient, {}, kSidecar, false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    const NamespaceObject object = ns(row.namespace_labels);
    PodObject subject = pod(row.pod_labels, row.annotations);
    CHECK((is_enrolled(subject, &object) == model::Capture::yes) == row.enrolled);
    subject.host_network = true;
    CHECK(is_enrolled(subject, &object) == model::Capture::no);
  }
  CHECK(is_enrolled(pod({}), nullptr) == model::Capture::no);
}

TEST_CASE("enrolled pods speak HBONE, and those that do it by themselves") {
  CHECK(tunnel_protocol(pod({}), model::Capture::yes) == model::TunnelProtocol::hbone);
  CHECK(tunnel_protocol(pod({}), model::Capture::no) == model::TunnelProtocol::tcp);
  CHECK(tunnel_protocol(pod({{"networking.istio.io/tunnel", "http"}}), model::Capture::no) ==
        model::TunnelProtocol::hbone);
}

TEST_CASE("a pod is called by what made it") {
  struct Row {
    const char* owner_kind;
    const char* owner_name;
    const char* hash;
    const char* name;
    model::WorkloadType type;
  };
  const Row rows[] = {
      {"", "", "", "web-1", model::WorkloadType::pod},
      {"ReplicaSet", "web-5d4f8c7b9", "5d4f8c7b9", "web", model::WorkloadType::deployment},
      {"ReplicaSet", "a-b-5d4f8c7b9", "5d4f8c7b9", "a-b", model::WorkloadType::deployment},
      // A bare ReplicaSet has no template hash of its own in its name.
      {"ReplicaSet", "web", "", "web-1", model::WorkloadType::pod},
      {"ReplicaSet", "-5d4f8c7b9", "5d4f8c7b9", "web-1", model::WorkloadType::pod},
      {"Job", "import", "", "import", model::WorkloadType::job},
      {"Job", "report-28512345", "", "report", model::WorkloadType::cronjob},
      {"Job", "report-1234567", "", "report-1234567", model::WorkloadType::job},
      {"Job", "report-28512x45", "", "report-28512x45", model::WorkloadType::job},
      {"StatefulSet", "web", "", "web-1", model::WorkloadType::pod},
      {"DaemonSet", "agent", "", "web-1", model::WorkloadType::pod},
  };
  for (const Row& row : rows) {
    CAPTURE(row.owner_name);
    PodObject subject = pod({});
    if (*row.hash != '\0') subject.meta.labels["pod-template-hash"] = row.hash;
    subject.meta.owner_kind = row.owner_kind;
    subject.meta.owner_name = row.owner_name;
    const WorkloadName name = workload_name(subject.meta);
    CHECK(name.name == row.name);
    CHECK(name.type == row.type);
  }
}

TEST_CASE("canonical names come from labels in Istio's order") {
  StringMap labels;
  CHECK(canonical_name(pod(labels).meta, "web") == "web");
  CHECK(canonical_revision(pod(labels).meta) == "latest");
  labels["app"] = "a";
  labels["version"] = "1";
  CHECK(canonical_name(pod(labels).meta, "web") == "a");
  CHECK(canonical_revision(pod(labels).meta) == "1");
  labels["app.kubernetes.io/name"] = "b";
  labels["app.kubernetes.io/version"] = "2";
  CHECK(canonical_name(pod(labels).meta, "web") == "b");
  CHECK(canonical_revision(pod(labels).meta) == "2");
  labels["service.istio.io/canonical-name"] = "c";
  labels["service.istio.io/canonical-revision"] = "3";
  CHECK(canonical_name(pod(labels).meta, "web") == "c");
  CHECK(canonical_revision(pod(labels).meta) == "3");
  labels["service.istio.io/canonical-name"] = "";
  CHECK(canonical_name(pod(labels).meta, "web") == "b");
}

TEST_CASE("traffic distribution becomes an order of scopes; local traffic policy a strict one") {
  ServiceObject service;
  service.internal_traffic_policy = "Cluster";
  CHECK(load_balancing(service, service.traffic_distribution).mode ==
        model::BalancingMode::standard);
  service.traffic_distribution = "PreferClose";
  CHECK(load_balancing(service, service.traffic_distribution).mode ==
        model::BalancingMode::failover);
  CHECK(load_balancing(service, service.traffic_distribution).scopes.back() ==
        model::RoutingScope::zone);
  service.traffic_distribution = "PreferSameNode";
  CHECK(load_balancing(service, service.traffic_distribution).scopes.back() ==
        model::RoutingScope::node);
  service.internal_traffic_policy = "Local";
  CHECK(load_balancing(service, service.traffic_distribution).mode == model::BalancingMode::strict);
}

}  // namespace
}  // namespace aquifer::manifests
