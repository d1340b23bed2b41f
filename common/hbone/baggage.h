// The `baggage` field: who a workload is, for the labels of the other side's metrics. Pure; any
// thread.
#pragma once

#include <string>
#include <string_view>

namespace aquifer::hbone {

/// Labels of a workload. Empty strings are absent. What a peer sends here is its own word, never
/// proof of identity.
struct BaggageFields {
  std::string cluster_name;
  std::string namespace_name;
  std::string workload_type;  ///< deployment, cronjob, pod or job
  std::string workload_name;
  std::string service_name;     ///< canonical name
  std::string service_version;  ///< canonical revision
  std::string region;
  std::string zone;
  friend bool operator==(const BaggageFields&, const BaggageFields&) noexcept = default;
};

/// `k8s.cluster.name=...,k8s.namespace.name=...,k8s.<type>.name=...,service.name=...` and so on, in
/// this order, absent values left out, no spaces.
[[nodiscard]] std::string build_baggage(const BaggageFields& fields);

/// Takes the keys it knows, ignores all else; a later value wins. Never fails: labels are not worth
/// a connection.
[[nodiscard]] BaggageFields parse_baggage(std::string_view text);

}  // namespace aquifer::hbone
