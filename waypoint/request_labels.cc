#include "waypoint/request_labels.h"

#include "common/telemetry/traffic_metrics.h"
#include "config/model/labels.h"

#include <string_view>

namespace aquifer::waypoint {
namespace {

// Labels with long names take about this much; one allocation instead of several.
constexpr std::size_t kRenderedBytesTypical = 1'200;

void append(std::string& out, std::string_view name, std::string_view value) {
  telemetry::append_label(out, name, value.empty() ? "unknown" : value);
}

struct Named {
  std::string_view host;
  std::string_view ns;
};

// What a route chose, else what the client wanted.
Named destination_of(const RequestRecord& record) {
  if (record.cluster != nullptr && !record.cluster->hostname.empty())
    return {record.cluster->hostname, record.cluster->service_ns};
  const auto* downstream = record.downstream.get();
  if (downstream == nullptr || downstream->service == nullptr) return {};
  return {downstream->service->hostname, downstream->service->ns};
}

const model::Workload* destination_workload(const RequestRecord& record) {
  if (record.upstream != nullptr) return record.upstream.get();
  return record.downstream != nullptr ? record.downstream->workload.get() : nullptr;
}

std::string common_labels(const RequestRecord& record) {
  const auto* downstream = record.downstream.get();
  const model::WorkloadLabels source =
      model::workload_labels(downstream != nullptr ? downstream->source_workload.get() : nullptr);
  const model::WorkloadLabels destination = model::workload_labels(destination_workload(record));
  const Named service = destination_of(record);
  std::string out;
  out.reserve(kRenderedBytesTypical);
  append(out, "reporter", "waypoint");
  append(out, "source_workload", source.workload);
  append(out, "source_canonical_service", source.canonical_service);
  append(out, "source_canonical_revision", source.canonical_revision);
  append(out, "source_workload_namespace", source.ns);
  append(out, "source_principal",
         downstream != nullptr ? std::string_view(downstream->identity.to_string()) : "");
  append(out, "source_app", source.canonical_service);
  append(out, "source_version", source.canonical_revision);
  append(out, "source_cluster", source.cluster);
  append(out, "destination_workload", destination.workload);
  append(out, "destination_workload_namespace", destination.ns);
  append(out, "destination_principal", destination.principal);
  append(out, "destination_app", destination.canonical_service);
  append(out, "destination_version", destination.canonical_revision);
  append(out, "destination_service", service.host);
  append(out, "destination_canonical_service", destination.canonical_service);
  append(out, "destination_canonical_revision", destination.canonical_revision);
  append(out, "destination_service_name", service.host.substr(0, service.host.find('.')));
  append(out, "destination_service_namespace", service.ns);
  append(out, "destination_cluster", destination.cluster);
  return out;
}

// Whoever came by the tunnel has proven itself by mutual TLS.
void append_end(std::string& out, const RequestRecord& record) {
  const bool proven = record.downstream != nullptr && record.downstream->proven() != nullptr;
  append(out, "response_flags", to_string(record.flags));
  append(out, "connection_security_policy", proven ? "mutual_tls" : "none");
  out.push_back('}');
}

}  // namespace

std::string request_labels(const RequestRecord& record) {
  std::string out = common_labels(record);
  append(out, "request_protocol", record.grpc ? "grpc" : "http");
  append(out, "response_code", std::to_string(record.status));
  if (record.grpc) {
    append(out, "grpc_response_status",
           record.grpc_status ? std::to_string(*record.grpc_status) : std::string());
  }
  append_end(out, record);
  return out;
}

std::string connection_labels(const RequestRecord& record) {
  std::string out = common_labels(record);
  append(out, "request_protocol", "tcp");
  append_end(out, record);
  return out;
}

std::string overflow_labels() {
  std::string out;
  for (const std::string_view name :
       {"reporter", "source_workload", "destination_workload", "destination_service"})
    append(out, name, name == "reporter" ? "waypoint" : "other");
  out.push_back('}');
  return out;
}

telemetry::SeriesOwners owners_of(const RequestRecord& record) {
  const auto* downstream = record.downstream.get();
  const model::WorkloadLabels source =
      model::workload_labels(downstream != nullptr ? downstream->source_workload.get() : nullptr);
  const model::WorkloadLabels destination = model::workload_labels(destination_workload(record));
  return {telemetry::workload_owner(source.ns, source.workload),
          telemetry::workload_owner(destination.ns, destination.workload)};
}

}  // namespace aquifer::waypoint
