#include "config/manifests/lint/pod_index.h"

#include "config/manifests/lint/words.h"

#include <fmt/format.h>

#include <algorithm>

namespace aquifer::manifests {
namespace {

const PodIndex::Pods kNoPods;

std::string label_key(std::string_view ns, std::string_view name, std::string_view value) {
  return fmt::format("{}/{}={}", ns, name, value);
}

// "namespace shop", or "the mesh" for all of them.
std::string place_text(std::string_view ns) {
  return ns.empty() ? "the mesh" : fmt::format("namespace {}", ns);
}

}  // namespace

PodIndex::PodIndex(const Assembly& assembly) {
  assembly.for_each(&FileObjects::pods, [&](const PodObject& pod) {
    if (!is_workload(pod)) return;
    for (const std::string& ns : {pod.meta.ns, std::string()}) {
      by_namespace_[ns].push_back(&pod);
      for (const auto& [name, value] : pod.meta.labels)
        by_label_[label_key(ns, name, value)].push_back(&pod);
    }
  });
}

const PodIndex::Pods& PodIndex::in(std::string_view ns) const {
  const auto at = by_namespace_.find(std::string(ns));
  return at == by_namespace_.end() ? kNoPods : at->second;
}

const PodIndex::Pods& PodIndex::with_label(std::string_view ns, std::string_view name,
                                           std::string_view value) const {
  const auto at = by_label_.find(label_key(ns, name, value));
  return at == by_label_.end() ? kNoPods : at->second;
}

PodIndex::Pods PodIndex::select(std::string_view ns, const StringMap& selector) const {
  if (selector.empty()) return in(ns);
  // The rarest label leaves the fewest pods to look at.
  const Pods* candidates = nullptr;
  for (const auto& [name, value] : selector) {
    const Pods& pods = with_label(ns, name, value);
    if (candidates == nullptr || pods.size() < candidates->size()) candidates = &pods;
  }
  Pods result;
  std::ranges::copy_if(*candidates, std::back_inserter(result),
                       [&](const PodObject* pod) { return has_labels(pod->meta, selector); });
  return result;
}

std::string PodIndex::why_none(std::string_view ns, const StringMap& selector) const {
  if (in(ns).empty()) return fmt::format("{} has no pods", place_text(ns));
  for (const auto& [name, value] : selector) {
    if (!with_label(ns, name, value).empty()) continue;
    std::vector<std::string> others;
    for (const PodObject* pod : in(ns)) {
      if (const std::string* other = pod->meta.label(name))
        others.push_back(fmt::format("{}={}", name, *other));
    }
    if (others.empty()) {
      return fmt::format("no pod of {} has a label {}", place_text(ns), name);
    }
    return fmt::format("no pod of {} has {}={}; there is {}", place_text(ns), name, value,
                       some_of(std::move(others)));
  }
  return fmt::format("no pod of {} has all of {}", place_text(ns), selector_text(selector));
}

bool has_labels(const Metadata& meta, const StringMap& wanted) {
  return std::ranges::all_of(wanted, [&](const auto& label) {
    const std::string* value = meta.label(label.first);
    return value != nullptr && *value == label.second;
  });
}

std::string selector_text(const StringMap& selector) {
  std::string text;
  for (const auto& [name, value] : selector)
    text += fmt::format("{}{}={}", text.empty() ? "" : ", ", name, value);
  return text;
}

}  // namespace aquifer::manifests
