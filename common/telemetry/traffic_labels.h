// What the traffic metrics say about a connection: the peer's label set, in the peer's order. Plain
// values.
#pragma once

#include "common/base/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace aquifer::telemetry {

/// Which end of the connection tells: the client's node (source) or the server's (destination).
enum class Reporter : std::uint8_t { source, destination };
[[nodiscard]] std::string_view name_of(Reporter reporter) noexcept;

enum class SecurityPolicy : std::uint8_t { unknown, mutual_tls };

/// How a connection ended, in one word.
enum class ResponseFlag : std::uint8_t {
  none,     ///< "-"
  deny,     ///< policy said no
  connect,  ///< the next hop could not be reached, or any other failure
  tls_failure,
  h2_handshake_failure,
  network_policy,  ///< the tunnel's port did not answer: a NetworkPolicy is likely
  identity_error,  ///< no certificate for the source's identity
  cert_revoked,
};
[[nodiscard]] std::string_view name_of(ResponseFlag flag) noexcept;
/// The flag of an error by its code alone; a caller that knows more says it itself.
[[nodiscard]] ResponseFlag flag_of(const Error& error) noexcept;

/// One end. What is empty is printed as `unknown`.
struct TrafficParty {
  std::string workload;  ///< of its owner: the deployment's name
  std::string canonical_service;
  std::string canonical_revision;
  std::string workload_namespace;
  std::string principal;  ///< `spiffe://...`; the source's only as TLS proved it
  std::string app;
  std::string version;
  std::string cluster;
};

/// Printed only if one of the two workloads is known.
struct TrafficLocality {
  std::string source_region;
  std::string source_zone;
  std::string destination_region;
  std::string destination_zone;
};

struct TrafficLabels {
  Reporter reporter = Reporter::source;
  TrafficParty source;
  std::string destination_service;  ///< host name
  std::string destination_service_namespace;
  std::string destination_service_name;
  TrafficParty destination;
  ResponseFlag response_flag = ResponseFlag::none;
  SecurityPolicy security_policy = SecurityPolicy::unknown;
  std::optional<TrafficLocality> locality;
};

/// `{reporter="source",...}`
[[nodiscard]] std::string render_labels(const TrafficLabels& labels);
/// The printed labels with another flag.
[[nodiscard]] std::string with_flag(std::string_view rendered, ResponseFlag flag);

}  // namespace aquifer::telemetry
