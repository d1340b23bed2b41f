// Selectors -> numbers, and for each pod the numbers of those that select it. Lives during one
// load.
#pragma once

#include "config/manifests/assembly.h"
#include "config/manifests/label_selector.h"
#include "config/model/workload_groups.h"

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace aquifer::manifests {

class SelectorGroups {
 public:
  /// Pods of one namespace. Equal questions get equal numbers.
  [[nodiscard]] model::GroupId in_namespace(std::string_view ns, const LabelSelector& pods);
  /// Pods of the namespaces whose labels `namespaces` matches.
  [[nodiscard]] model::GroupId in_namespaces(const LabelSelector& namespaces,
                                             const LabelSelector& pods);

  /// Who is in which group: the workloads of `assembly` that have a network of their own.
  [[nodiscard]] model::WorkloadGroups members(const Assembly& assembly) const;

 private:
  struct Group {
    std::optional<std::string> ns;
    LabelSelector namespaces;  // meaningful without ns
    LabelSelector pods;
  };
  model::GroupId number(std::string key, Group group);

  std::vector<Group> groups_;
  std::unordered_map<std::string, model::GroupId> by_key_;
};

/// The labels of a namespace, with the one that Kubernetes gives to each: its name.
[[nodiscard]] StringMap namespace_labels(const Assembly& assembly, std::string_view ns);

}  // namespace aquifer::manifests
