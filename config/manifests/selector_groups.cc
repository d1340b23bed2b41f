#include "config/manifests/selector_groups.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

namespace aquifer::manifests {
namespace {

using model::GroupId;

std::string label_text(std::string_view name, std::string_view value) {
  return fmt::format("{}={}", name, value);
}

/// The groups that may have pods of one namespace, found by a label that their selectors want: of
/// ten thousand selectors for `app: NAME`, a pod is compared with one.
struct Candidates {
  std::unordered_map<std::string, std::vector<GroupId>> by_label;
  std::vector<GroupId> others;

  void add(GroupId id, const LabelSelector& pods) {
    if (pods.match_labels.empty()) {
      others.push_back(id);
    } else {
      const auto& [name, value] = *pods.match_labels.begin();
      by_label[label_text(name, value)].push_back(id);
    }
  }
};

std::string key_of(const StringMap& labels) {
  return LabelSelector{labels, {}}.key();
}

}  // namespace

StringMap namespace_labels(const Assembly& assembly, std::string_view ns) {
  const auto at = assembly.namespaces.find(std::string(ns));
  StringMap labels = at != assembly.namespaces.end() ? at->second->meta.labels : StringMap();
  labels.insert_or_assign("kubernetes.io/metadata.name", std::string(ns));
  return labels;
}

GroupId SelectorGroups::in_namespace(std::string_view ns, const LabelSelector& pods) {
  return number(fmt::format("n{}/{}", ns, pods.key()), {std::string(ns), {}, pods});
}

GroupId SelectorGroups::in_namespaces(const LabelSelector& namespaces, const LabelSelector& pods) {
  const std::string key = namespaces.key();
  return number(fmt::format("s{}:{}/{}", key.size(), key, pods.key()),
                {std::nullopt, namespaces, pods});
}

GroupId SelectorGroups::number(std::string key, Group group) {
  const auto [at, added] = by_key_.emplace(std::move(key), static_cast<GroupId>(groups_.size()));
  if (added) groups_.push_back(std::move(group));
  return at->second;
}

model::WorkloadGroups SelectorGroups::members(const Assembly& assembly) const {
  model::WorkloadGroups result;
  if (groups_.empty()) return result;
  std::unordered_map<std::string, Candidates> by_namespace;
  const auto candidates_of = [&](const std::string& ns) -> const Candidates& {
    const auto [at, added] = by_namespace.try_emplace(ns);
    if (!added) return at->second;
    const StringMap labels = namespace_labels(assembly, ns);
    for (GroupId id = 0; id < groups_.size(); ++id) {
      const Group& group = groups_[id];
      const bool here = group.ns ? *group.ns == ns : group.namespaces.matches(labels);
      if (here) at->second.add(id, group.pods);
    }
    return at->second;
  };
  // Pods of one template have the same labels, and so the same list.
  std::unordered_map<std::string, model::WorkloadGroups::List> known;
  assembly.for_each(&FileObjects::pods, [&](const PodObject& pod) {
    if (!is_workload(pod) || pod.host_network) return;
    model::WorkloadGroups::List& list = known[pod.meta.ns + "/" + key_of(pod.meta.labels)];
    if (list == nullptr) {
      const Candidates& candidates = candidates_of(pod.meta.ns);
      std::vector<GroupId> found;
      const auto add_matching = [&](const std::vector<GroupId>& ids) {
        for (const GroupId id : ids) {
          if (groups_[id].pods.matches(pod.meta.labels)) found.push_back(id);
        }
      };
      add_matching(candidates.others);
      for (const auto& [name, value] : pod.meta.labels) {
        const auto at = candidates.by_label.find(label_text(name, value));
        if (at != candidates.by_label.end()) add_matching(at->second);
      }
      std::ranges::sort(found);
      list = std::make_shared<const std::vector<GroupId>>(std::move(found));
    }
    if (list->empty()) return;
    result.set(pod_uid(assembly.options, pod.meta.ns, pod.meta.name), list);
  });
  return result;
}

}  // namespace aquifer::manifests
