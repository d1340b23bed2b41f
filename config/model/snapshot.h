// One version of everything the proxy was told, with the indexes that decisions need. Immutable:
// any thread reads it without a lock. The next version shares all that did not change.
#pragma once

#include "common/base/address.h"
#include "config/model/books.h"
#include "config/model/index_hash.h"
#include "config/model/mesh_config.h"
#include "config/model/prefix_lengths.h"
#include "config/model/service.h"
#include "config/model/sharded_index.h"
#include "config/model/workload.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace aquifer::model {

/// A batch of changes; within one batch each uid and each service key occurs once.
struct Changes {
  std::optional<MeshConfig> mesh_config;
  std::vector<WorkloadPtr> upserted_workloads;
  /// By uid. Unknown ones are ignored.
  std::vector<std::string> removed_workloads;
  std::vector<ServiceRecord> upserted_services;
  /// By service_key(). Unknown ones are ignored.
  std::vector<std::string> removed_services;
  /// All policies anew; see keep_equal().
  std::optional<Books> books;

  [[nodiscard]] bool empty() const noexcept;
};

class Snapshot {
 public:
  /// Nothing known, and the default MeshConfig.
  Snapshot();

  /// The next version. Costs what the changes touch, not what the store holds.
  [[nodiscard]] std::shared_ptr<const Snapshot> apply(const Changes& changes) const;

  // Each of these gives null when nothing is found; the reference is valid while the snapshot
  // lives.

  [[nodiscard]] const WorkloadPtr& workload_by_uid(std::string_view uid) const;
  /// Never a pod of the host's network. Of several with one address: pods before others, then HBONE
  /// before TCP.
  [[nodiscard]] const WorkloadPtr& workload_by_ip(std::string_view network,
                                                  const IpAddress& ip) const;
  [[nodiscard]] const WorkloadPtr& workload_by_name(std::string_view ns,
                                                    std::string_view name) const;
  /// Among those that `client_ns` may see: a service with the very address before one with a range
  /// around it; then one of `client_ns`; then the narrowest range, then the canonical.
  [[nodiscard]] const ServiceRecordPtr& service_by_vip(std::string_view network,
                                                       const IpAddress& ip,
                                                       std::string_view client_ns) const;
  /// Every service that has the address, visible or not; with null for the very address, else with
  /// the range that holds it. For people who ask why.
  void for_each_vip_match(
      std::string_view network, const IpAddress& ip,
      const std::function<void(const ServiceRecordPtr&, const Cidr*)>& visit) const;
  [[nodiscard]] const ServiceRecordPtr& service_by_host(std::string_view ns,
                                                        std::string_view hostname) const;
  /// All of that exact host name, of any namespace, in no promised order.
  [[nodiscard]] std::vector<ServiceRecordPtr> services_of_host(std::string_view hostname) const;
  /// In any namespace, `preferred_ns` first.
  [[nodiscard]] const ServiceRecordPtr& service_by_hostname(std::string_view hostname,
                                                            std::string_view preferred_ns) const;

  /// The pods of one node, sorted by uid.
  [[nodiscard]] std::vector<WorkloadPtr> workloads_on(std::string_view node) const;

  template <typename Visit>
  void for_each_workload(Visit&& visit) const {
    workloads_by_uid_.for_each(visit);
  }
  /// Every service with this host name, in any namespace.
  template <typename Visit>
  void for_each_service_of_host(std::string_view hostname, Visit&& visit) const {
    services_by_hostname_.for_each_of(index_hash(hostname), [&](const ServiceRecordPtr& record) {
      if (record->service->hostname == hostname) visit(record);
    });
  }
  template <typename Visit>
  void for_each_service(Visit&& visit) const {
    services_by_key_.for_each(visit);
  }

  [[nodiscard]] const MeshConfig& mesh_config() const noexcept { return *mesh_config_; }
  [[nodiscard]] const Books& books() const noexcept { return books_; }
  [[nodiscard]] std::size_t workload_count() const noexcept { return workloads_by_uid_.size(); }
  [[nodiscard]] std::size_t service_count() const noexcept { return services_by_key_.size(); }
  /// Counts the versions since the empty one.
  [[nodiscard]] std::uint64_t version() const noexcept { return version_; }

  /// Shards of the workload index shared with `other`, of ShardedIndex::kShards; for tests.
  [[nodiscard]] std::size_t workload_shards_shared_with(const Snapshot& other) const noexcept {
    return workloads_by_uid_.shards_shared_with(other.workloads_by_uid_);
  }

 private:
  class Builder;

  std::shared_ptr<const MeshConfig> mesh_config_;
  Books books_;
  ShardedIndex<Workload> workloads_by_uid_;
  ShardedIndex<Workload> workloads_by_ip_;
  ShardedIndex<Workload> workloads_by_name_;
  ShardedIndex<Workload> workloads_by_node_;
  ShardedIndex<ServiceRecord> services_by_key_;
  ShardedIndex<ServiceRecord> services_by_vip_;
  ShardedIndex<ServiceRecord> services_by_cidr_;
  PrefixLengths cidr_lengths_;
  ShardedIndex<ServiceRecord> services_by_hostname_;
  std::uint64_t version_ = 0;
};

using SnapshotPtr = std::shared_ptr<const Snapshot>;

}  // namespace aquifer::model
