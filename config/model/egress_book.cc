// The index of egress policies: what selects a workload is found without looking at the rest.
#include "config/model/egress.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace aquifer::model {

EgressBook::EgressBook(std::vector<EgressPolicy> policies, WorkloadGroups groups, Backing backing)
    : policies_(std::move(policies)), groups_(std::move(groups)), backing_(std::move(backing)) {
  std::ranges::sort(policies_, {},
                    [](const EgressPolicy& policy) { return std::tie(policy.ns, policy.name); });
  for (std::uint32_t at = 0; at < policies_.size(); ++at) {
    const EgressPolicy& policy = policies_[at];
    if (policy.enforcement == Enforcement::dry_run) has_dry_run_ = true;
    if (policy.group) {
      if (for_group_.size() <= *policy.group) for_group_.resize(*policy.group + 1);
      for_group_[*policy.group].push_back(at);
    } else if (!policy.selected_ns.empty()) {
      for_namespace_[policy.selected_ns].push_back(at);
    } else {
      for_mesh_.push_back(at);
    }
  }
}

std::vector<const EgressPolicy*> EgressBook::selecting(const Workload& source) const {
  std::vector<const EgressPolicy*> found;
  if (policies_.empty()) return found;
  const auto add = [&](const Positions& positions) {
    for (const std::uint32_t at : positions) found.push_back(&policies_[at]);
  };
  add(for_mesh_);
  if (const auto at = for_namespace_.find(source.ns); at != for_namespace_.end()) add(at->second);
  for (const GroupId group : groups_.of(source.uid)) {
    if (group < for_group_.size()) add(for_group_[group]);
  }
  std::ranges::sort(found);  // they stand in one array, which is in order
  return found;
}

std::span<const BackedService> EgressBook::backed_by(std::string_view uid) const noexcept {
  const auto at = backing_.find(uid);
  if (at == backing_.end()) return {};
  return at->second;
}

}  // namespace aquifer::model
