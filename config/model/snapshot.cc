#include "config/model/snapshot.h"

#include <algorithm>
#include <functional>
#include <ranges>

namespace aquifer::model {
namespace {

// Returned by reference when a look-up finds nothing.
const WorkloadPtr kNoWorkload;
const ServiceRecordPtr kNoService;

std::uint64_t combine(std::uint64_t a, std::uint64_t b) noexcept {
  const std::uint64_t mixed = (a ^ (b + 0x9e3779b97f4a7c15ULL)) * 0xd6e8feb86659fd93ULL;
  return (mixed ^ (mixed >> 32U)) * 0x9fb21c651e98df25ULL;
}

std::uint64_t hash_of(std::string_view text) noexcept {
  return std::hash<std::string_view>()(text);
}
std::uint64_t hash_of(std::string_view network, const IpAddress& ip) noexcept {
  return combine(hash_of(network), ip.hash());
}
std::uint64_t hash_of(std::string_view ns, std::string_view name) noexcept {
  return combine(hash_of(ns), hash_of(name));
}

bool has_address(const Workload& workload, const IpAddress& ip) {
  return std::ranges::find(workload.addresses, ip) != workload.addresses.end();
}

// True when `a` is to be found by their common address rather than `b`.
bool preferred(const Workload& a, const Workload& b) {
  if (is_pod_uid(a.uid) != is_pod_uid(b.uid)) return is_pod_uid(a.uid);
  if (a.protocol != b.protocol) return a.protocol == TunnelProtocol::hbone;
  // Any rule will do, as long as every node follows it.
  return a.uid < b.uid;
}

}  // namespace

bool Changes::empty() const noexcept {
  return !mesh_config && upserted_workloads.empty() && removed_workloads.empty() &&
         upserted_services.empty() && removed_services.empty() && !books;
}

// Edits all indexes of one snapshot together, so that none can be forgotten.
class Snapshot::Builder {
 public:
  explicit Builder(const Snapshot& base)
      : by_uid_(base.workloads_by_uid_),
        by_ip_(base.workloads_by_ip_),
        by_name_(base.workloads_by_name_),
        by_node_(base.workloads_by_node_),
        by_key_(base.services_by_key_),
        by_vip_(base.services_by_vip_),
        by_hostname_(base.services_by_hostname_) {}

  void remove_workload(std::string_view uid) {
    const WorkloadPtr* found =
        by_uid_.view().find(hash_of(uid), [&](const Workload& w) { return w.uid == uid; });
    if (found == nullptr) return;
    const WorkloadPtr old = *found;
    for_each_workload_key(*old,
                          [&](auto& index, std::uint64_t hash) { index.erase(hash, old.get()); });
  }

  void insert_workload(const WorkloadPtr& workload) {
    for_each_workload_key(*workload,
                          [&](auto& index, std::uint64_t hash) { index.insert(hash, workload); });
  }

  void remove_service(std::string_view key) {
    const std::size_t slash = key.find('/');
    if (slash == std::string_view::npos) return;
    const std::string_view ns = key.substr(0, slash);
    const std::string_view hostname = key.substr(slash + 1);
    const ServiceRecordPtr* found =
        by_key_.view().find(hash_of(ns, hostname), [&](const ServiceRecord& record) {
          return record.service->ns == ns && record.service->hostname == hostname;
        });
    if (found == nullptr) return;
    const ServiceRecordPtr old = *found;
    for_each_service_key(*old->service,
                         [&](auto& index, std::uint64_t hash) { index.erase(hash, old.get()); });
  }

  void insert_service(const ServiceRecord& record) {
    auto shared = std::make_shared<const ServiceRecord>(record);
    for_each_service_key(*record.service,
                         [&](auto& index, std::uint64_t hash) { index.insert(hash, shared); });
  }

  void finish(Snapshot& snapshot) && {
    snapshot.workloads_by_uid_ = std::move(by_uid_).finish();
    snapshot.workloads_by_ip_ = std::move(by_ip_).finish();
    snapshot.workloads_by_name_ = std::move(by_name_).finish();
    snapshot.workloads_by_node_ = std::move(by_node_).finish();
    snapshot.services_by_key_ = std::move(by_key_).finish();
    snapshot.services_by_vip_ = std::move(by_vip_).finish();
    snapshot.services_by_hostname_ = std::move(by_hostname_).finish();
  }

 private:
  template <typename Use>
  void for_each_workload_key(const Workload& workload, Use&& use) {
    use(by_uid_, hash_of(workload.uid));
    use(by_name_, hash_of(workload.ns, workload.name));
    use(by_node_, hash_of(workload.node));
    if (workload.network_mode == NetworkMode::host_network) return;
    for (const IpAddress& ip : workload.addresses) use(by_ip_, hash_of(workload.network, ip));
  }

  template <typename Use>
  void for_each_service_key(const Service& service, Use&& use) {
    use(by_key_, hash_of(service.ns, service.hostname));
    use(by_hostname_, hash_of(service.hostname));
    for (const NetworkAddress& vip : service.vips) use(by_vip_, hash_of(vip.network, vip.ip));
  }

  ShardedIndex<Workload>::Editor by_uid_;
  ShardedIndex<Workload>::Editor by_ip_;
  ShardedIndex<Workload>::Editor by_name_;
  ShardedIndex<Workload>::Editor by_node_;
  ShardedIndex<ServiceRecord>::Editor by_key_;
  ShardedIndex<ServiceRecord>::Editor by_vip_;
  ShardedIndex<ServiceRecord>::Editor by_hostname_;
};

Snapshot::Snapshot() : mesh_config_(std::make_shared<const MeshConfig>()) {}

SnapshotPtr Snapshot::apply(const Changes& changes) const {
  Builder builder(*this);
  for (const std::string& uid : changes.removed_workloads) builder.remove_workload(uid);
  for (const WorkloadPtr& workload : changes.upserted_workloads) {
    builder.remove_workload(workload->uid);
    builder.insert_workload(workload);
  }
  for (const std::string& key : changes.removed_services) builder.remove_service(key);
  for (const ServiceRecord& record : changes.upserted_services) {
    builder.remove_service(service_key(record.service->ns, record.service->hostname));
    builder.insert_service(record);
  }
  auto next = std::make_shared<Snapshot>();
  std::move(builder).finish(*next);
  next->mesh_config_ =
      changes.mesh_config ? std::make_shared<const MeshConfig>(*changes.mesh_config) : mesh_config_;
  next->books_ = changes.books ? *changes.books : books_;
  next->version_ = version_ + 1;
  return next;
}

const WorkloadPtr& Snapshot::workload_by_uid(std::string_view uid) const {
  const auto* found =
      workloads_by_uid_.find(hash_of(uid), [&](const Workload& w) { return w.uid == uid; });
  return found != nullptr ? *found : kNoWorkload;
}

const WorkloadPtr& Snapshot::workload_by_ip(std::string_view network, const IpAddress& ip) const {
  const WorkloadPtr* best = &kNoWorkload;
  workloads_by_ip_.for_each_of(hash_of(network, ip), [&](const WorkloadPtr& workload) {
    if (workload->network != network || !has_address(*workload, ip)) return;
    if (*best == nullptr || preferred(*workload, **best)) best = &workload;
  });
  return *best;
}

const WorkloadPtr& Snapshot::workload_by_name(std::string_view ns, std::string_view name) const {
  const auto* found = workloads_by_name_.find(
      hash_of(ns, name), [&](const Workload& w) { return w.ns == ns && w.name == name; });
  return found != nullptr ? *found : kNoWorkload;
}

const ServiceRecordPtr& Snapshot::service_by_vip(std::string_view network, const IpAddress& ip,
                                                 std::string_view client_ns) const {
  const ServiceRecordPtr* best = &kNoService;
  services_by_vip_.for_each_of(hash_of(network, ip), [&](const ServiceRecordPtr& record) {
    const Service& service = *record->service;
    const bool matches = std::ranges::any_of(service.vips, [&](const NetworkAddress& vip) {
      return vip.ip == ip && vip.network == network;
    });
    if (!matches) return;
    const bool better =
        *best == nullptr || (service.ns == client_ns && (*best)->service->ns != client_ns);
    if (better) best = &record;
  });
  return *best;
}

const ServiceRecordPtr& Snapshot::service_by_host(std::string_view ns,
                                                  std::string_view hostname) const {
  const auto* found =
      services_by_key_.find(hash_of(ns, hostname), [&](const ServiceRecord& record) {
        return record.service->ns == ns && record.service->hostname == hostname;
      });
  return found != nullptr ? *found : kNoService;
}

const ServiceRecordPtr& Snapshot::service_by_hostname(std::string_view hostname,
                                                      std::string_view preferred_ns) const {
  const ServiceRecordPtr* best = &kNoService;
  services_by_hostname_.for_each_of(hash_of(hostname), [&](const ServiceRecordPtr& record) {
    if (record->service->hostname != hostname) return;
    if (*best == nullptr || record->service->ns == preferred_ns) best = &record;
  });
  return *best;
}

std::vector<WorkloadPtr> Snapshot::workloads_on(std::string_view node) const {
  std::vector<WorkloadPtr> result;
  workloads_by_node_.for_each_of(hash_of(node), [&](const WorkloadPtr& workload) {
    if (workload->node == node) result.push_back(workload);
  });
  std::ranges::sort(result, {}, &Workload::uid);
  return result;
}

}  // namespace aquifer::model
