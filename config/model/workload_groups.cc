#include "config/model/workload_groups.h"

#include "common/base/assert.h"

#include <algorithm>
#include <utility>

namespace aquifer::model {

void WorkloadGroups::set(std::string uid, List groups) {
  AQUIFER_ASSERT(groups != nullptr && std::ranges::is_sorted(*groups));
  by_uid_.insert_or_assign(std::move(uid), std::move(groups));
}

std::span<const GroupId> WorkloadGroups::of(std::string_view uid) const noexcept {
  const auto at = by_uid_.find(uid);
  if (at == by_uid_.end()) return {};
  return *at->second;
}

bool WorkloadGroups::contains(GroupId group, std::string_view uid) const noexcept {
  return std::ranges::binary_search(of(uid), group);
}

bool operator==(const WorkloadGroups& a, const WorkloadGroups& b) {
  if (a.by_uid_.size() != b.by_uid_.size()) return false;
  return std::ranges::all_of(a.by_uid_, [&](const auto& item) {
    const auto other = b.by_uid_.find(item.first);
    return other != b.by_uid_.end() &&
           (other->second == item.second || *other->second == *item.second);
  });
}

}  // namespace aquifer::model
