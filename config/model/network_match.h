// Does a rule of a NetworkPolicy match a connection? Shared by the decision and its explanation.
#pragma once

#include "config/model/network_policy.h"

namespace aquifer::model {

[[nodiscard]] bool matches_peer(const NetworkPeer& peer, const NetworkPolicyBook& book,
                                const NetworkRequest& request);
[[nodiscard]] bool matches_port(const NetworkPort& port, const NetworkPolicyBook& book,
                                const NetworkRequest& request);
[[nodiscard]] bool matches_peers(const NetworkRule& rule, const NetworkPolicyBook& book,
                                 const NetworkRequest& request);
[[nodiscard]] bool matches_ports(const NetworkRule& rule, const NetworkPolicyBook& book,
                                 const NetworkRequest& request);

/// The pod whose port it is: null when nobody knows.
[[nodiscard]] const Workload* destination_of(const NetworkRequest& request) noexcept;
/// The rule of `policy` that allows the connection.
[[nodiscard]] std::optional<std::size_t> allowing_rule(const NetworkPolicy& policy,
                                                       const NetworkPolicyBook& book,
                                                       const NetworkRequest& request);

}  // namespace aquifer::model
