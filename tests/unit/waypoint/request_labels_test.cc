#include "waypoint/request_labels.h"

#include "tests/unit/waypoint/record_fixture.h"

#include <doctest/doctest.h>

using namespace aquifer;
using namespace aquifer::waypoint;

TEST_CASE("a request has Istio's label set, as a waypoint reports it") {
  CHECK(request_labels(a_record()) ==
        R"({reporter="waypoint",source_workload="browser",source_canonical_service="browser",)"
        R"(source_canonical_revision="v1",source_workload_namespace="front",)"
        R"(source_principal="spiffe://cluster.local/ns/front/sa/browser",source_app="browser",)"
        R"(source_version="v1",source_cluster="Kubernetes",destination_workload="web",)"
        R"(destination_workload_namespace="shop",)"
        R"(destination_principal="spiffe://cluster.local/ns/shop/sa/web",destination_app="web",)"
        R"(destination_version="v1",destination_service="web.shop.svc.cluster.local",)"
        R"(destination_canonical_service="web",destination_canonical_revision="v1",)"
        R"(destination_service_name="web",destination_service_namespace="shop",)"
        R"(destination_cluster="Kubernetes",request_protocol="http",response_code="200",)"
        R"(response_flags="-",connection_security_policy="mutual_tls"})");
}

TEST_CASE("a gRPC request has its own status besides that of HTTP") {
  RequestRecord record = a_record();
  record.grpc = true;
  record.grpc_status = 14;
  const std::string labels = request_labels(record);
  CHECK(labels.find(R"(request_protocol="grpc",response_code="200",grpc_response_status="14",)") !=
        std::string::npos);
}

TEST_CASE("without an endpoint the service is still named, and the workload unknown") {
  RequestRecord record = a_record();
  record.upstream = nullptr;
  record.cluster = nullptr;
  record.status = 404;
  record.flags.set(Flag::no_route);
  const std::string labels = request_labels(record);
  CHECK(labels.find(R"(destination_workload="unknown")") != std::string::npos);
  CHECK(labels.find(R"(destination_service="web.shop.svc.cluster.local")") != std::string::npos);
  CHECK(labels.find(R"(response_code="404",response_flags="NR")") != std::string::npos);
}

TEST_CASE("a client without a record is known by its proven identity alone") {
  RequestRecord record = a_record();
  auto downstream = a_downstream();
  downstream->source_workload = nullptr;
  record.downstream = std::move(downstream);
  const std::string labels = request_labels(record);
  CHECK(labels.find(R"(source_workload="unknown")") != std::string::npos);
  CHECK(labels.find(R"(source_principal="spiffe://cluster.local/ns/front/sa/browser")") !=
        std::string::npos);
}

TEST_CASE("a connection has no response code, and says tcp") {
  const std::string labels = connection_labels(a_record());
  CHECK(labels.find("response_code") == std::string::npos);
  CHECK(labels.ends_with(
      R"(request_protocol="tcp",response_flags="-",connection_security_policy="mutual_tls"})"));
}
