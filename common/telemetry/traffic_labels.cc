#include "common/telemetry/traffic_labels.h"

#include "common/base/assert.h"
#include "common/telemetry/metrics.h"

namespace aquifer::telemetry {
namespace {

// A node's labels with long names take about this much; one allocation instead of several.
constexpr std::size_t kRenderedBytesTypical = 1'200;

void append(std::string& out, std::string_view name, std::string_view value) {
  append_label(out, name, value.empty() ? "unknown" : value);
}

}  // namespace

std::string_view name_of(Reporter reporter) noexcept {
  return reporter == Reporter::source ? "source" : "destination";
}

std::string_view name_of(ResponseFlag flag) noexcept {
  switch (flag) {
    case ResponseFlag::none: return "-";
    case ResponseFlag::deny: return "DENY";
    case ResponseFlag::connect: return "CONNECT";
    case ResponseFlag::tls_failure: return "TLS_FAILURE";
    case ResponseFlag::h2_handshake_failure: return "H2_HANDSHAKE_FAILURE";
    case ResponseFlag::network_policy: return "NETWORK_POLICY";
    case ResponseFlag::identity_error: return "IDENTITY_ERROR";
    case ResponseFlag::cert_revoked: return "CERT_REVOKED";
  }
  return "-";
}

ResponseFlag flag_of(const Error& error) noexcept {
  switch (error.code) {
    case Errc::denied: return ResponseFlag::deny;
    case Errc::identity: return ResponseFlag::identity_error;
    case Errc::tls: return ResponseFlag::tls_failure;
    default: return ResponseFlag::connect;
  }
}

std::string render_labels(const TrafficLabels& labels) {
  std::string out;
  out.reserve(kRenderedBytesTypical);
  append(out, "reporter", name_of(labels.reporter));
  append(out, "source_workload", labels.source.workload);
  append(out, "source_canonical_service", labels.source.canonical_service);
  append(out, "source_canonical_revision", labels.source.canonical_revision);
  append(out, "source_workload_namespace", labels.source.workload_namespace);
  append(out, "source_principal", labels.source.principal);
  append(out, "source_app", labels.source.app);
  append(out, "source_version", labels.source.version);
  append(out, "source_cluster", labels.source.cluster);
  append(out, "destination_service", labels.destination_service);
  append(out, "destination_service_namespace", labels.destination_service_namespace);
  append(out, "destination_service_name", labels.destination_service_name);
  append(out, "destination_workload", labels.destination.workload);
  append(out, "destination_canonical_service", labels.destination.canonical_service);
  append(out, "destination_canonical_revision", labels.destination.canonical_revision);
  append(out, "destination_workload_namespace", labels.destination.workload_namespace);
  append(out, "destination_principal", labels.destination.principal);
  append(out, "destination_app", labels.destination.app);
  append(out, "destination_version", labels.destination.version);
  append(out, "destination_cluster", labels.destination.cluster);
  append(out, "request_protocol", "tcp");
  append(out, "response_flags", name_of(labels.response_flag));
  append(out, "connection_security_policy",
         labels.security_policy == SecurityPolicy::mutual_tls ? "mutual_tls" : "unknown");
  if (labels.locality) {
    append(out, "source_region", labels.locality->source_region);
    append(out, "source_zone", labels.locality->source_zone);
    append(out, "destination_region", labels.locality->destination_region);
    append(out, "destination_zone", labels.locality->destination_zone);
  }
  out.push_back('}');
  return out;
}

std::string with_flag(std::string_view rendered, ResponseFlag flag) {
  // Cannot be part of a value: there the quotes would stand behind backslashes.
  constexpr std::string_view kBefore = "\",response_flags=\"";
  std::size_t at = rendered.find(kBefore);
  AQUIFER_ASSERT(at != std::string_view::npos);
  at += kBefore.size();
  std::size_t end = rendered.find('"', at);
  AQUIFER_ASSERT(end != std::string_view::npos);
  return std::string(rendered.substr(0, at)).append(name_of(flag)).append(rendered.substr(end));
}

}  // namespace aquifer::telemetry
