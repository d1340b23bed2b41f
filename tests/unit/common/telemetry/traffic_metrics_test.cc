#include "common/telemetry/traffic_metrics.h"

#include <doctest/doctest.h>

using namespace aquifer;
using namespace aquifer::telemetry;
using namespace std::chrono_literals;

namespace {
constexpr MonoTime kNow{1h};

TrafficLabels known() {
  TrafficParty client{.workload = "client",
                      .canonical_service = "client",
                      .canonical_revision = "v1",
                      .workload_namespace = "default",
                      .principal = "spiffe://cluster.local/ns/default/sa/client",
                      .app = "client",
                      .version = "v1",
                      .cluster = "Kubernetes"};
  TrafficLabels labels;
  labels.reporter = Reporter::destination;
  labels.source = client;
  labels.destination_service = "server.default.svc.cluster.local";
  labels.destination_service_namespace = "default";
  labels.destination_service_name = "server";
  labels.destination = client;
  labels.destination.workload = "server";
  labels.security_policy = SecurityPolicy::mutual_tls;
  return labels;
}
}  // namespace

TEST_CASE(
    "the label set has the peer's names in the peer's order, unknown where nothing is known") {
  CHECK(
      render_labels(TrafficLabels()) ==
      R"({reporter="source",source_workload="unknown",source_canonical_service="unknown",)"
      R"(source_canonical_revision="unknown",source_workload_namespace="unknown",source_principal="unknown",)"
      R"(source_app="unknown",source_version="unknown",source_cluster="unknown",destination_service="unknown",)"
      R"(destination_service_namespace="unknown",destination_service_name="unknown",)"
      R"(destination_workload="unknown",destination_canonical_service="unknown",)"
      R"(destination_canonical_revision="unknown",destination_workload_namespace="unknown",)"
      R"(destination_principal="unknown",destination_app="unknown",destination_version="unknown",)"
      R"(destination_cluster="unknown",request_protocol="tcp",response_flags="-",)"
      R"(connection_security_policy="unknown"})");
}

TEST_CASE("known values and the locality stand in their places") {
  TrafficLabels labels = known();
  labels.locality = TrafficLocality{.source_region = "r1",
                                    .source_zone = {},
                                    .destination_region = "r2",
                                    .destination_zone = "z2"};
  std::string text = render_labels(labels);
  CHECK(text.starts_with(R"({reporter="destination",source_workload="client",)"));
  CHECK(
      text.find(
          R"(source_principal="spiffe://cluster.local/ns/default/sa/client",source_app="client")") !=
      std::string::npos);
  CHECK(text.ends_with(
      R"(connection_security_policy="mutual_tls",source_region="r1",source_zone="unknown",)"
      R"(destination_region="r2",destination_zone="z2"})"));
}

TEST_CASE("another flag changes the flag and nothing else") {
  TrafficLabels labels = known();
  labels.source.workload = R"(x",response_flags="-)";  // a name that looks like the label
  labels.locality = TrafficLocality{};
  std::string before = render_labels(labels);
  labels.response_flag = ResponseFlag::tls_failure;
  CHECK(with_flag(before, ResponseFlag::tls_failure) == render_labels(labels));
  CHECK(with_flag(render_labels(labels), ResponseFlag::none) == before);
}

TEST_CASE("equal labels share their counters, different ones do not") {
  Registry registry;
  TrafficMetrics metrics(registry);
  TrafficCounters first = metrics.resolve(known());
  TrafficCounters second = metrics.resolve(known());
  TrafficCounters other = metrics.resolve(TrafficLabels());
  first.opened();
  second.opened();
  other.opened();
  second.from_client(5);
  std::string text = registry.render(kNow);
  std::string labels = render_labels(known());
  CHECK(text.find("istio_tcp_connections_opened_total" + labels + " 2\n") != std::string::npos);
  CHECK(text.find("istio_tcp_connections_opened_total" + render_labels(TrafficLabels()) + " 1\n") !=
        std::string::npos);
  CHECK(text.find("istio_tcp_received_bytes_total" + labels + " 5\n") != std::string::npos);
  CHECK(text.find("# TYPE istio_tcp_connections_opened counter\n") != std::string::npos);
}

TEST_CASE("open sockets are a gauge per reporter") {
  Registry registry;
  TrafficMetrics metrics(registry);
  GaugeHold accepted(metrics.sockets_open(Reporter::destination));
  std::string text = registry.render(kNow);
  CHECK(text.find("istio_tcp_sockets_open{reporter=\"source\"} 0\n") != std::string::npos);
  CHECK(text.find("istio_tcp_sockets_open{reporter=\"destination\"} 1\n") != std::string::npos);
}

TEST_CASE("more label sets than the bound end in one that says other, also when they fail") {
  Registry registry;
  TrafficMetrics metrics(registry);
  for (int i = 0; i < 10'000; ++i) {
    TrafficLabels labels;
    labels.source.workload = "w" + std::to_string(i);
    metrics.resolve(labels).opened();
  }
  TrafficLabels labels = known();
  TrafficCounters late = metrics.resolve(labels);
  late.opened();
  metrics.with_flag(late, ResponseFlag::deny).failed();
  std::string text = registry.render(kNow);
  CHECK(text.find("destination_service_name=\"server\"") == std::string::npos);
  std::size_t opened =
      text.find("istio_tcp_connections_opened_total{reporter=\"source\",source_workload=\"other\"");
  REQUIRE(opened != std::string::npos);
  CHECK(text.find(
            "istio_tcp_connections_failed_total{reporter=\"source\",source_workload=\"other\"") !=
        std::string::npos);
}

TEST_CASE("the flag of an error is the peer's") {
  CHECK(name_of(ResponseFlag::none) == "-");
  CHECK(name_of(flag_of(Error(Errc::denied))) == "DENY");
  CHECK(name_of(flag_of(Error(Errc::connection_refused))) == "CONNECT");
  CHECK(name_of(flag_of(Error(Errc::http_status))) == "CONNECT");
  CHECK(name_of(flag_of(Error(Errc::tls))) == "TLS_FAILURE");
  CHECK(name_of(flag_of(Error(Errc::identity))) == "IDENTITY_ERROR");
  CHECK(name_of(ResponseFlag::h2_handshake_failure) == "H2_HANDSHAKE_FAILURE");
  CHECK(name_of(ResponseFlag::network_policy) == "NETWORK_POLICY");
  CHECK(name_of(ResponseFlag::cert_revoked) == "CERT_REVOKED");
}
