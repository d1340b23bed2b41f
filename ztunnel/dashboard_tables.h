// The tables of the page at `/`. Each gives one section, with as many rows as a person can use and
// a word about the rest.
#pragma once

#include "ztunnel/dashboard.h"

#include <chrono>
#include <string>

namespace aquifer::ztunnel {

[[nodiscard]] std::string flows_section(const Dashboard& page);
[[nodiscard]] std::string refusals_section(const Dashboard& page);
[[nodiscard]] std::string pods_section(const Dashboard& page);
[[nodiscard]] std::string workloads_section(const Dashboard& page);
[[nodiscard]] std::string services_section(const Dashboard& page);
[[nodiscard]] std::string policies_section(const Dashboard& page);
[[nodiscard]] std::string certificates_section(const Dashboard& page);

/// Of every kind.
[[nodiscard]] std::size_t policy_count(const model::Snapshot& mesh);
/// The other end of a connection: NAMESPACE/POD where it is known, else its address.
[[nodiscard]] std::string peer_text(const FlowEvent& event);
/// "expires in 23 h", "expired 5 min ago"
[[nodiscard]] std::string expiry_text(std::chrono::system_clock::duration left);

}  // namespace aquifer::ztunnel
