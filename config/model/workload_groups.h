// Which workloads the selectors of policies select, worked out when the mesh was read: the model
// and the decisions know groups by number and never see a label.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace aquifer::model {

/// The workloads that one selector selects. Equal selectors have one number.
using GroupId = std::uint32_t;

/// Hashes texts so that a map of strings is searched by a view.
struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const noexcept {
    return std::hash<std::string_view>()(text);
  }
};
template <typename Value>
using TextMap = std::unordered_map<std::string, Value, TextHash, std::equal_to<>>;

/// The groups of every workload that is in any. Pods of one template share one list.
class WorkloadGroups {
 public:
  using List = std::shared_ptr<const std::vector<GroupId>>;

  /// `groups` is sorted, holds each number once, and is not null.
  void set(std::string uid, List groups);

  /// Sorted; empty for a workload in no group.
  [[nodiscard]] std::span<const GroupId> of(std::string_view uid) const noexcept;
  [[nodiscard]] bool contains(GroupId group, std::string_view uid) const noexcept;

  /// By content.
  friend bool operator==(const WorkloadGroups& a, const WorkloadGroups& b);

 private:
  TextMap<List> by_uid_;
};

}  // namespace aquifer::model
