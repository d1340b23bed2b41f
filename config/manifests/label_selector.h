// Label selectors of Kubernetes: read, matched, and told apart. Used while a mesh is loaded only;
// what decides about connections knows the result (model/workload_groups.h).
#pragma once

#include "config/manifests/fields.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace aquifer::manifests {

struct LabelRequirement {
  enum class Operator : std::uint8_t { in, not_in, exists, does_not_exist };
  std::string key;
  Operator op = Operator::exists;
  /// Sorted, for in and not_in.
  std::vector<std::string> values;
  [[nodiscard]] bool matches(const StringMap& labels) const;
};

struct LabelSelector {
  StringMap match_labels;
  std::vector<LabelRequirement> match_expressions;

  /// All of it; an empty selector matches everything.
  [[nodiscard]] bool matches(const StringMap& labels) const;
  [[nodiscard]] bool empty() const noexcept {
    return match_labels.empty() && match_expressions.empty();
  }
  /// Equal for equal selectors, and only for them.
  [[nodiscard]] std::string key() const;
};

/// Reads matchLabels and matchExpressions of the map `fields`, and leaves other fields to the
/// caller (who calls finish).
[[nodiscard]] LabelSelector read_label_selector(Fields& fields);

}  // namespace aquifer::manifests
