#include "config/manifests/selected_workloads.h"

#include <fmt/format.h>

#include <algorithm>

namespace aquifer::manifests {
namespace {

std::string label_key(std::string_view ns, std::string_view name, std::string_view value) {
  return fmt::format("{}/{}={}", ns, name, value);
}

}  // namespace

bool selects(const StringMap& selector, const StringMap& labels) {
  return std::ranges::all_of(selector, [&](const auto& wanted) {
    const auto at = labels.find(wanted.first);
    return at != labels.end() && at->second == wanted.second;
  });
}

SelectedWorkloads::SelectedWorkloads(const Assembly& assembly) {
  assembly.for_each(&FileObjects::services, [&](const ServiceObject& service) {
    expect(service.meta.ns, service.selector);
  });
  assembly.for_each(&FileObjects::service_entries, [&](const ServiceEntryObject& entry) {
    expect(entry.meta.ns, entry.selector);
  });
  const auto place = [&](std::string_view ns, const StringMap& labels, auto&& put) {
    for (const auto& [name, value] : labels) {
      const auto at = buckets_.find(label_key(ns, name, value));
      if (at != buckets_.end()) put(at->second);
    }
  };
  assembly.for_each(&FileObjects::pods, [&](const PodObject& pod) {
    if (!is_workload(pod)) return;
    place(pod.meta.ns, pod.meta.labels, [&](Bucket& bucket) { bucket.pods.push_back(&pod); });
  });
  assembly.for_each(&FileObjects::workload_entries, [&](const WorkloadEntryObject& entry) {
    place(entry.meta.ns, entry.spec.labels,
          [&](Bucket& bucket) { bucket.entries.push_back(&entry); });
  });
}

void SelectedWorkloads::expect(std::string_view ns, const StringMap& selector) {
  for (const auto& [name, value] : selector) buckets_[label_key(ns, name, value)];
}

const SelectedWorkloads::Bucket* SelectedWorkloads::candidates(std::string_view ns,
                                                               const StringMap& selector) const {
  const Bucket* rarest = nullptr;
  const auto size = [](const Bucket& bucket) { return bucket.pods.size() + bucket.entries.size(); };
  for (const auto& [name, value] : selector) {
    const auto at = buckets_.find(label_key(ns, name, value));
    if (at == buckets_.end()) return nullptr;
    if (rarest == nullptr || size(at->second) < size(*rarest)) rarest = &at->second;
  }
  return rarest;
}

std::vector<const PodObject*> SelectedWorkloads::pods(std::string_view ns,
                                                      const StringMap& selector) const {
  std::vector<const PodObject*> result;
  const Bucket* bucket = candidates(ns, selector);
  if (bucket == nullptr) return result;
  std::ranges::copy_if(bucket->pods, std::back_inserter(result),
                       [&](const PodObject* pod) { return selects(selector, pod->meta.labels); });
  return result;
}

std::vector<const WorkloadEntryObject*> SelectedWorkloads::entries(
    std::string_view ns, const StringMap& selector) const {
  std::vector<const WorkloadEntryObject*> result;
  const Bucket* bucket = candidates(ns, selector);
  if (bucket == nullptr) return result;
  std::ranges::copy_if(
      bucket->entries, std::back_inserter(result),
      [&](const WorkloadEntryObject* entry) { return selects(selector, entry->spec.labels); });
  return result;
}

}  // namespace aquifer::manifests
