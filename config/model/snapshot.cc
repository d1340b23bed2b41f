#include "config/model/snapshot.h"

#include "config/model/index_hash.h"

#include <algorithm>
#include <ranges>

namespace aquifer::model {
namespace {

// Returned by reference when a look-up finds nothing.
const WorkloadPtr kNoWorkload;
const ServiceRecordPtr kNoService;

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
        by_cidr_(base.services_by_cidr_),
        cidr_lengths_(base.cidr_lengths_),
        by_hostname_(base.services_by_hostname_) {}

  void remove_workload(std::string_view uid) {
    const WorkloadPtr* found =
        by_uid_.view().find(index_hash(uid), [&](const Workload& w) { return w.uid == uid; });
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
        by_key_.view().find(index_hash(ns, hostname), [&](const ServiceRecord& record) {
          return record.service->ns == ns && record.service->hostname == hostname;
        });
    if (found == nullptr) return;
    const ServiceRecordPtr old = *found;
    for_each_service_key(*old->service,
                         [&](auto& index, std::uint64_t hash) { index.erase(hash, old.get()); });
    for (const NetworkCidr& range : old->service->cidr_vips) cidr_lengths_.remove(range.cidr);
  }

  void insert_service(const ServiceRecord& record) {
    auto shared = std::make_shared<const ServiceRecord>(record);
    for_each_service_key(*record.service,
                         [&](auto& index, std::uint64_t hash) { index.insert(hash, shared); });
    for (const NetworkCidr& range : record.service->cidr_vips) cidr_lengths_.add(range.cidr);
  }

  void finish(Snapshot& snapshot) && {
    snapshot.workloads_by_uid_ = std::move(by_uid_).finish();
    snapshot.workloads_by_ip_ = std::move(by_ip_).finish();
    snapshot.workloads_by_name_ = std::move(by_name_).finish();
    snapshot.workloads_by_node_ = std::move(by_node_).finish();
    snapshot.services_by_key_ = std::move(by_key_).finish();
    snapshot.services_by_vip_ = std::move(by_vip_).finish();
    snapshot.services_by_cidr_ = std::move(by_cidr_).finish();
    snapshot.cidr_lengths_ = cidr_lengths_;
    snapshot.services_by_hostname_ = std::move(by_hostname_).finish();
  }

 private:
  template <typename Use>
  void for_each_workload_key(const Workload& workload, Use&& use) {
    use(by_uid_, index_hash(workload.uid));
    use(by_name_, index_hash(workload.ns, workload.name));
    use(by_node_, index_hash(workload.node));
    if (workload.network_mode == NetworkMode::host_network) return;
    for (const IpAddress& ip : workload.addresses) use(by_ip_, index_hash(workload.network, ip));
  }

  template <typename Use>
  void for_each_service_key(const Service& service, Use&& use) {
    use(by_key_, index_hash(service.ns, service.hostname));
    use(by_hostname_, index_hash(service.hostname));
    for (const NetworkAddress& vip : service.vips) use(by_vip_, index_hash(vip.network, vip.ip));
    for (const NetworkCidr& range : service.cidr_vips)
      use(by_cidr_, index_hash(range.network, range.cidr));
  }

  ShardedIndex<Workload>::Editor by_uid_;
  ShardedIndex<Workload>::Editor by_ip_;
  ShardedIndex<Workload>::Editor by_name_;
  ShardedIndex<Workload>::Editor by_node_;
  ShardedIndex<ServiceRecord>::Editor by_key_;
  ShardedIndex<ServiceRecord>::Editor by_vip_;
  ShardedIndex<ServiceRecord>::Editor by_cidr_;
  PrefixLengths cidr_lengths_;
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
      workloads_by_uid_.find(index_hash(uid), [&](const Workload& w) { return w.uid == uid; });
  return found != nullptr ? *found : kNoWorkload;
}

const WorkloadPtr& Snapshot::workload_by_ip(std::string_view network, const IpAddress& ip) const {
  const WorkloadPtr* best = &kNoWorkload;
  workloads_by_ip_.for_each_of(index_hash(network, ip), [&](const WorkloadPtr& workload) {
    if (workload->network != network || !has_address(*workload, ip)) return;
    if (*best == nullptr || preferred(*workload, **best)) best = &workload;
  });
  return *best;
}

const WorkloadPtr& Snapshot::workload_by_name(std::string_view ns, std::string_view name) const {
  const auto* found = workloads_by_name_.find(
      index_hash(ns, name), [&](const Workload& w) { return w.ns == ns && w.name == name; });
  return found != nullptr ? *found : kNoWorkload;
}

const ServiceRecordPtr& Snapshot::service_by_host(std::string_view ns,
                                                  std::string_view hostname) const {
  const auto* found =
      services_by_key_.find(index_hash(ns, hostname), [&](const ServiceRecord& record) {
        return record.service->ns == ns && record.service->hostname == hostname;
      });
  return found != nullptr ? *found : kNoService;
}

std::vector<ServiceRecordPtr> Snapshot::services_of_host(std::string_view hostname) const {
  std::vector<ServiceRecordPtr> result;
  services_by_hostname_.for_each_of(index_hash(hostname), [&](const ServiceRecordPtr& record) {
    if (record->service->hostname == hostname) result.push_back(record);
  });
  return result;
}

const ServiceRecordPtr& Snapshot::service_by_hostname(std::string_view hostname,
                                                      std::string_view preferred_ns) const {
  const ServiceRecordPtr* best = &kNoService;
  services_by_hostname_.for_each_of(index_hash(hostname), [&](const ServiceRecordPtr& record) {
    if (record->service->hostname != hostname) return;
    if (*best == nullptr || record->service->ns == preferred_ns) best = &record;
  });
  return *best;
}

std::vector<WorkloadPtr> Snapshot::workloads_on(std::string_view node) const {
  std::vector<WorkloadPtr> result;
  workloads_by_node_.for_each_of(index_hash(node), [&](const WorkloadPtr& workload) {
    if (workload->node == node) result.push_back(workload);
  });
  std::ranges::sort(result, {}, &Workload::uid);
  return result;
}

}  // namespace aquifer::model
