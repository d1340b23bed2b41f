// The workloads that label selectors select: pods and WorkloadEntries, found by the labels that
// selectors ask for, so that a mesh of many services does not compare each with each.
#pragma once

#include "config/manifests/assembly.h"

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace aquifer::manifests {

class SelectedWorkloads {
 public:
  /// `assembly` must outlive it.
  explicit SelectedWorkloads(const Assembly& assembly);

  /// Of one namespace. An empty selector selects nothing.
  [[nodiscard]] std::vector<const PodObject*> pods(std::string_view ns,
                                                   const StringMap& selector) const;
  [[nodiscard]] std::vector<const WorkloadEntryObject*> entries(std::string_view ns,
                                                                const StringMap& selector) const;

 private:
  struct Bucket {
    std::vector<const PodObject*> pods;
    std::vector<const WorkloadEntryObject*> entries;
  };
  void expect(std::string_view ns, const StringMap& selector);
  // The bucket of the selector's rarest label; null when nothing can match.
  [[nodiscard]] const Bucket* candidates(std::string_view ns, const StringMap& selector) const;

  /// By NAMESPACE/KEY=VALUE, for the labels that stand in selectors.
  std::unordered_map<std::string, Bucket> buckets_;
};

/// Does every label of the selector stand in `labels`?
[[nodiscard]] bool selects(const StringMap& selector, const StringMap& labels);

}  // namespace aquifer::manifests
