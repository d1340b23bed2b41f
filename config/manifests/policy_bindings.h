// Which policies with a selector hold for a workload, found by its labels without looking at all of
// them. Made once for a load; refers to the manifests of that load.
#pragma once

#include "config/manifests/objects.h"
#include "config/manifests/peer_authentication.h"

#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace aquifer::manifests {

/// Things with label selectors, by namespace.
template <typename T>
class SelectorIndex {
 public:
  /// `selector` has at least one label, and outlives the index.
  void add(std::string_view ns, const StringMap& selector, T thing) {
    // Filed under one of its labels: what has not got that one is not selected.
    const auto& [key, value] = *selector.begin();
    by_label_[filed_under(ns, key, value)].push_back({&selector, std::move(thing)});
  }
  /// Calls `use(thing)` for each that selects `labels`.
  template <typename Use>
  void for_each(std::string_view ns, const StringMap& labels, Use&& use) const {
    for (const auto& [key, value] : labels) {
      const auto filed = by_label_.find(filed_under(ns, key, value));
      if (filed == by_label_.end()) continue;
      for (const Entry& entry : filed->second) {
        if (selects(*entry.selector, labels)) use(entry.thing);
      }
    }
  }

 private:
  struct Entry {
    const StringMap* selector;
    T thing;
  };
  static std::string filed_under(std::string_view ns, std::string_view key,
                                 std::string_view value) {
    // Namespaces have no slash and label keys no equals sign.
    std::string text(ns);
    text.append("/").append(key).append("=").append(value);
    return text;
  }
  static bool selects(const StringMap& selector, const StringMap& labels) {
    for (const auto& [key, value] : selector) {
      const auto label = labels.find(key);
      if (label == labels.end() || label->second != value) return false;
    }
    return true;
  }
  std::unordered_map<std::string, std::vector<Entry>> by_label_;
};

/// What add_policies() leaves for whoever makes workloads.
struct PolicyBindings {
  std::string root_namespace;
  /// NAMESPACE/NAME of AuthorizationPolicies.
  SelectorIndex<std::string> authorization;
  SelectorIndex<const PeerAuthenticationObject*> peer_authentication;
  MtlsMode mesh_mtls = MtlsMode::unset;
  std::map<std::string, MtlsMode, std::less<>> namespace_mtls;

  [[nodiscard]] InheritedMtls inherited(std::string_view ns) const;
  /// The value of Workload::authorization_policies for a workload with these labels.
  [[nodiscard]] std::vector<std::string> of(std::string_view ns, const StringMap& labels) const;
};

}  // namespace aquifer::manifests
