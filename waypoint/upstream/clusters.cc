// Which clusters a loop has, and what each is made from.
#include "config/model/books.h"
#include "config/model/l7/routing_book.h"
#include "waypoint/upstream/cluster.h"
#include "waypoint/upstream/cluster_name.h"
#include "waypoint/upstream/workload_cluster.h"

namespace aquifer::waypoint {
namespace {

// What holds for the key in this version of the mesh. `current` is kept where it says the same:
// whoever compares pointers then sees no change.
l7::ClusterPtr config_of(const model::Snapshot& snapshot, std::string_view key,
                         const Cluster* current) {
  if (auto written = snapshot.books().routing->cluster(key)) return written;
  if (auto lone = workload_cluster(key)) {
    if (snapshot.workload_by_uid(lone->members->front()) == nullptr) return nullptr;
    return current != nullptr ? current->config_pointer() : lone;
  }
  const auto name = parse_cluster_key(key);
  // A subset is made by configuration alone.
  if (!name || !name->subset.empty()) return nullptr;
  const auto& record = snapshot.service_by_host(name->service_ns, name->hostname);
  if (record == nullptr || record->service->find_port(name->port) == nullptr) return nullptr;
  auto made = l7::default_cluster(*record->service, name->port);
  return current != nullptr && current->config() == *made ? current->config_pointer() : made;
}

}  // namespace

std::shared_ptr<Cluster> Clusters::find(const model::SnapshotPtr& snapshot, std::string_view key,
                                        MonoTime now) {
  const auto known = by_key_.find(key);
  // A request that began before the last change does not take others back.
  if (known != by_key_.end() && snapshot->version() <= known->second.version)
    return known->second.cluster;
  const Cluster* current = known != by_key_.end() ? known->second.cluster.get() : nullptr;
  auto config = config_of(*snapshot, key, current);
  if (config == nullptr) return nullptr;
  if (known != by_key_.end()) {
    known->second.version = snapshot->version();
    known->second.cluster->update(*snapshot, std::move(config), now);
    return known->second.cluster;
  }
  auto cluster = std::make_shared<Cluster>(config, circuits_.of(std::string(key)), standpoint_);
  cluster->update(*snapshot, std::move(config), now);
  by_key_.emplace(key, Entry{cluster, snapshot->version()});
  return cluster;
}

void Clusters::stand_at(const Standpoint& standpoint) {
  if (standpoint == standpoint_) return;
  standpoint_ = standpoint;
  for (auto& [key, entry] : by_key_) {
    entry.cluster->stand_at(standpoint);
    entry.version = 0;  // older than any: updated when it is found next
  }
}

void Clusters::sweep(const model::Snapshot& snapshot) {
  std::erase_if(by_key_, [&](const auto& entry) {
    return entry.second.cluster.use_count() == 1 &&
           config_of(snapshot, entry.first, nullptr) == nullptr;
  });
}

}  // namespace aquifer::waypoint
