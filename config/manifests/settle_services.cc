// Of several services with one host name: which counts in each namespace, and which is the one for
// clients of all others. Istio's rule: a Kubernetes Service before a ServiceEntry, then the oldest.
#include "config/manifests/assembly.h"
#include "config/manifests/read_objects.h"

#include <fmt/format.h>

#include <map>
#include <memory>
#include <tuple>
#include <utility>

namespace aquifer::manifests {
namespace {

// The smaller, the better. Objects written by hand have no age; then any order that every node
// follows.
auto place_of(const AssembledService& entry) {
  return std::tuple(!entry.kubernetes, std::string_view(entry.meta->created),
                    std::string_view(entry.meta->ns), std::string_view(entry.meta->name));
}

std::string name_of(const AssembledService& entry) {
  return object_name(entry.kubernetes ? "Service" : "ServiceEntry", *entry.meta);
}

bool is_for_its_namespace_alone(const AssembledService& entry) {
  const model::Service& service = entry.service;
  return service.export_to.size() == 1 && service.export_to.front() == service.ns;
}

}  // namespace

void settle_services(Assembly& assembly) {
  std::map<std::pair<std::string, std::string>, AssembledService*> winners;
  for (AssembledService& entry : assembly.services) {
    const auto key = std::pair(entry.service.ns, entry.service.hostname);
    const auto [at, added] = winners.try_emplace(key, &entry);
    if (added) continue;
    AssembledService*& winner = at->second;
    AssembledService* loser = &entry;
    if (place_of(entry) < place_of(*winner)) std::swap(winner, loser);
    assembly.report_at(Severity::warning, loser->meta->origin, name_of(*loser), "",
                       fmt::format("{} is also the host of {} in this namespace, which counts: "
                                   "write another, or take one of them away",
                                   entry.service.hostname, name_of(*winner)));
  }
  std::unordered_map<std::string_view, AssembledService*> canonical;
  for (auto& [key, entry] : winners) {
    if (is_for_its_namespace_alone(*entry)) continue;
    const auto [at, added] = canonical.try_emplace(entry->service.hostname, entry);
    if (!added && place_of(*entry) < place_of(*at->second)) at->second = entry;
  }
  for (auto& [host, entry] : canonical) entry->service.canonical = true;
  for (auto& [key, entry] : winners) {
    assembly.state.services.push_back(
        {std::make_shared<const model::Service>(std::move(entry->service)),
         std::make_shared<const model::EndpointSet>(std::move(entry->endpoints))});
  }
  assembly.services.clear();
}

}  // namespace aquifer::manifests
