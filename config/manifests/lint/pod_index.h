// The pods of a mesh by namespace and label, and why a selector finds none of them. Lives during
// one check.
#pragma once

#include "config/manifests/assembly.h"

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace aquifer::manifests {

class PodIndex {
 public:
  using Pods = std::vector<const PodObject*>;

  /// Pods that run; `assembly` must outlive it.
  explicit PodIndex(const Assembly& assembly);

  /// The pods of a namespace; of all namespaces when `ns` is empty.
  [[nodiscard]] const Pods& in(std::string_view ns) const;
  /// Those with all these labels; an empty selector selects all.
  [[nodiscard]] Pods select(std::string_view ns, const StringMap& selector) const;
  /// For people: which label no pod has and what they have instead. Meaningful for a selector that
  /// selects nothing.
  [[nodiscard]] std::string why_none(std::string_view ns, const StringMap& selector) const;

 private:
  [[nodiscard]] const Pods& with_label(std::string_view ns, std::string_view name,
                                       std::string_view value) const;

  std::unordered_map<std::string, Pods> by_namespace_;
  // By NAMESPACE/NAME=VALUE.
  std::unordered_map<std::string, Pods> by_label_;
};

/// Do an object's labels carry all that a selector asks for?
[[nodiscard]] bool has_labels(const Metadata& meta, const StringMap& wanted);
/// "app=web, tier=front"
[[nodiscard]] std::string selector_text(const StringMap& selector);

}  // namespace aquifer::manifests
