#include "config/model/store.h"

#include <string>
#include <unordered_set>

namespace aquifer::model {
namespace {

bool same(const ServiceRecord& a, const ServiceRecord& b) {
  return *a.service == *b.service && *a.endpoints == *b.endpoints;
}

void compare_workloads(const Snapshot& current, const FullState& wanted, Changes& changes) {
  std::unordered_set<std::string_view> kept;
  kept.reserve(wanted.workloads.size());
  for (const WorkloadPtr& workload : wanted.workloads) {
    kept.insert(workload->uid);
    const WorkloadPtr& known = current.workload_by_uid(workload->uid);
    if (known == nullptr || *known != *workload) changes.upserted_workloads.push_back(workload);
  }
  current.for_each_workload([&](const WorkloadPtr& known) {
    if (!kept.contains(known->uid)) changes.removed_workloads.push_back(known->uid);
  });
}

void compare_services(const Snapshot& current, const FullState& wanted, Changes& changes) {
  std::unordered_set<std::string> kept;
  kept.reserve(wanted.services.size());
  for (const ServiceRecord& record : wanted.services) {
    kept.insert(service_key(record.service->ns, record.service->hostname));
    const auto& known = current.service_by_host(record.service->ns, record.service->hostname);
    if (known != nullptr && same(*known, record)) continue;
    ServiceRecord changed = record;
    // New endpoints behind an unchanged service leave the service's own record where it is.
    if (known != nullptr && *known->service == *record.service) changed.service = known->service;
    changes.upserted_services.push_back(std::move(changed));
  }
  current.for_each_service([&](const ServiceRecordPtr& known) {
    std::string key = service_key(known->service->ns, known->service->hostname);
    if (!kept.contains(key)) changes.removed_services.push_back(std::move(key));
  });
}

}  // namespace

Changes changes_between(const Snapshot& current, const FullState& wanted) {
  Changes changes;
  if (current.mesh_config() != wanted.mesh_config) changes.mesh_config = wanted.mesh_config;
  if (current.books() != wanted.books) changes.books = keep_equal(current.books(), wanted.books);
  compare_workloads(current, wanted, changes);
  compare_services(current, wanted, changes);
  return changes;
}

LocalChanges local_changes(const Snapshot& before, const Snapshot& after, std::string_view node) {
  LocalChanges result;
  for (const WorkloadPtr& old : before.workloads_on(node)) {
    const WorkloadPtr& now = after.workload_by_uid(old->uid);
    const bool still_here = now != nullptr && now->node == node && now->pod_uid == old->pod_uid;
    if (!still_here) {
      result.removed.push_back(old);
    } else if (now != old) {
      result.changed.push_back({old, now});
    }
  }
  for (const WorkloadPtr& now : after.workloads_on(node)) {
    const WorkloadPtr& old = before.workload_by_uid(now->uid);
    const bool was_here = old != nullptr && old->node == node && old->pod_uid == now->pod_uid;
    if (!was_here) result.added.push_back(now);
  }
  return result;
}

Store::Store() : current_(std::make_shared<const Snapshot>()) {}

Store::Update Store::apply(const Changes& changes) {
  Update update{current_, current_};
  if (changes.empty()) return update;
  current_ = current_->apply(changes);
  update.after = current_;
  return update;
}

}  // namespace aquifer::model
