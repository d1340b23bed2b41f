// The parts of a NetworkPolicy as they are written.
#pragma once

#include "config/manifests/label_selector.h"
#include "config/model/network_policy.h"

#include <optional>
#include <vector>

namespace aquifer::manifests {

/// Selectors, or a block of addresses.
struct NetworkPeerObject {
  /// Pods of the policy's own namespace when there is no namespace selector.
  std::optional<LabelSelector> namespaces;
  std::optional<LabelSelector> pods;
  std::optional<model::AddressBlock> block;
};

struct NetworkRuleObject {
  /// None: every peer.
  std::optional<std::vector<NetworkPeerObject>> peers;
  /// As in model::NetworkRule.
  std::optional<std::vector<model::NetworkPort>> ports;
};

}  // namespace aquifer::manifests
