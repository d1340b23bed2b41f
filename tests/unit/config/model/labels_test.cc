// What is said about a workload in headers, logs and metrics.
#include "config/model/labels.h"

#include "tests/unit/config/model/fixtures.h"

#include <doctest/doctest.h>

namespace aquifer::model {
namespace {

using namespace test;

TEST_CASE("baggage names the workload by its kind") {
  Workload client = pod("client-5d4f8-x7k2p", "10.0.0.1");
  client.workload_type = WorkloadType::deployment;
  client.workload_name = "client";
  client.locality = {"eu", "eu-1", ""};
  const BaggageFields fields = baggage_fields(client);
  CHECK(fields.cluster == "Kubernetes");
  CHECK(fields.ns == "default");
  CHECK(fields.workload_type == "deployment");
  CHECK(fields.workload_name == "client");
  CHECK(fields.canonical_revision == "latest");
  CHECK(fields.region == "eu");
  CHECK(fields.zone == "eu-1");
}

TEST_CASE("labels tell the pod from its deployment, and the principal keeps its scheme") {
  Workload client = pod("client-x", "10.0.0.1");
  client.workload_name = "client";
  const WorkloadLabels labels = workload_labels(&client);
  CHECK(labels.pod == "client-x");
  CHECK(labels.workload == "client");
  CHECK(labels.principal == "spiffe://cluster.local/ns/default/sa/client-x");
  client.name.clear();
  CHECK(workload_labels(&client).pod == client.canonical_name);
}

TEST_CASE("an unknown end has empty labels") {
  CHECK(workload_labels(nullptr).workload.empty());
  CHECK(service_labels(nullptr).hostname.empty());
}

}  // namespace
}  // namespace aquifer::model
