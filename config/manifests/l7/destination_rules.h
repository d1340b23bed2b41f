// DestinationRules by the services that they are for, and what several of them say together. Lives
// during one load.
#pragma once

#include "config/manifests/l7/mesh_services.h"
#include "config/manifests/traffic_objects.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace aquifer::manifests {

/// What holds for one service.
struct EffectiveRule {
  /// The rules that hold, the oldest first; never empty.
  std::vector<const DestinationRuleObject*> rules;
  /// Of the first that says anything; null: nobody does.
  const TrafficPolicyObject* policy = nullptr;
  /// Of all; of several with one name the oldest rule's.
  std::vector<const SubsetObject*> subsets;

  [[nodiscard]] const SubsetObject* subset(std::string_view name) const noexcept;
};

class DestinationRules {
 public:
  /// `services` must outlive it.
  explicit DestinationRules(const MeshServices& services);

  /// As Istio looks for them: in the namespace of the service's waypoint, then in the service's
  /// own, then in the root namespace; the first that has a rule which the waypoint may see counts,
  /// and there the host itself before wildcards. Empty when there is none.
  [[nodiscard]] EffectiveRule of(const model::Service& service) const;

 private:
  using Rules = std::vector<const DestinationRuleObject*>;
  [[nodiscard]] Rules find(std::string_view rules_ns, std::string_view waypoint_ns,
                           std::string_view hostname) const;

  const MeshServices& services_;
  /// By NAMESPACE/HOST.
  std::unordered_map<std::string, Rules> by_host_;
  /// By namespace: those whose host is a wildcard, the longest first.
  std::unordered_map<std::string, Rules> wildcards_;
};

/// Does a host with a star at its front cover this one?
[[nodiscard]] bool host_covers(std::string_view pattern, std::string_view hostname) noexcept;

/// The namespace of the waypoint that serves the service; its own when there is none.
[[nodiscard]] std::string waypoint_ns(const model::Service& service);

}  // namespace aquifer::manifests
