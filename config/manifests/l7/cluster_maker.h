// Services and their DestinationRules -> clusters. Lives during one load.
#pragma once

#include "config/manifests/l7/destination_rules.h"
#include "config/manifests/l7/mesh_services.h"
#include "config/model/l7/cluster.h"

#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace aquifer::manifests {

/// The labels of everything that can be an endpoint, by workload uid.
class WorkloadLabels {
 public:
  explicit WorkloadLabels(const Assembly& assembly);
  /// Empty for what is not known.
  [[nodiscard]] const StringMap& of(const std::string& uid) const;
  /// The endpoints of the service that carry all labels of a subset: their uids, sorted.
  [[nodiscard]] std::vector<std::string> members(const model::ServiceRecord& record,
                                                 const StringMap& labels) const;

 private:
  std::unordered_map<std::string, const StringMap*> by_uid_;
};

class ClusterMaker {
 public:
  /// All clusters that some DestinationRule says something about. An error is reported when there
  /// are too many.
  ClusterMaker(const MeshServices& services, const DestinationRules& rules, Report& report);

  /// Is there a cluster of this subset?
  [[nodiscard]] bool has(std::string_view key) const { return keys_.contains(std::string(key)); }
  [[nodiscard]] std::vector<l7::ClusterPtr> take() { return std::move(clusters_); }

 private:
  void add(const model::ServiceRecord& record, const EffectiveRule& rule);
  void add(l7::Cluster cluster);

  WorkloadLabels labels_;
  std::vector<l7::ClusterPtr> clusters_;
  std::unordered_set<std::string> keys_;
};

}  // namespace aquifer::manifests
