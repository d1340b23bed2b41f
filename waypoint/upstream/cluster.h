// A cluster as one loop runs it: its endpoints, which of them gets a request, and which are left
// out because they fail. Follows the configuration without forgetting what it learned.
#pragma once

#include "common/base/result.h"
#include "config/model/l7/cluster.h"
#include "config/model/snapshot.h"
#include "waypoint/upstream/circuit.h"
#include "waypoint/upstream/endpoint.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace aquifer::waypoint {

/// What a choice depends on besides the cluster.
struct PickRequest {
  MonoTime now{};
  std::uint64_t random = 0;
  /// Of the request, for consistent hashing (l7::HashSource); none: random.
  std::optional<std::uint64_t> hash;
  /// Endpoints that this request tried in vain: chosen again only if nothing else is there.
  std::span<const model::EndpointId> tried;
  /// The endpoint of the client's session, if it is still there; 0: none.
  model::EndpointId preferred = 0;
};

/// Where this waypoint is: locality-aware balancing compares endpoints with it.
struct Standpoint {
  std::string network;
  model::Locality locality;
  std::string node;
};

class Balancer;
class OutlierDetector;

/// One loop. Made by Clusters, always in a shared_ptr: a lease keeps it alive.
class Cluster : public std::enable_shared_from_this<Cluster> {
 public:
  Cluster(l7::ClusterPtr config, std::shared_ptr<CircuitCounters> circuit,
          const Standpoint& standpoint);
  ~Cluster();
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  /// Takes over what changed: endpoints that stay keep what is known of them.
  void update(const model::Snapshot& snapshot, l7::ClusterPtr config, MonoTime now);

  /// Chooses an endpoint. Errors: not_found (flag UH: none is there, or none is healthy).
  [[nodiscard]] Result<Lease> pick(const PickRequest& request);

  [[nodiscard]] const l7::Cluster& config() const noexcept { return *config_; }
  [[nodiscard]] const std::shared_ptr<CircuitCounters>& circuit() const noexcept {
    return circuit_;
  }
  [[nodiscard]] std::span<const EndpointPtr> endpoints() const noexcept { return endpoints_; }
  /// Is it left out by outlier detection now? For pages.
  [[nodiscard]] bool is_ejected(const Endpoint& endpoint, MonoTime now) const noexcept;

 private:
  friend class Lease;
  void finished(Endpoint& endpoint, MonoTime began, MonoTime now, Outcome outcome, int status);

  l7::ClusterPtr config_;
  std::shared_ptr<CircuitCounters> circuit_;
  const Standpoint& standpoint_;
  std::vector<EndpointPtr> endpoints_;
  model::ServiceRecordPtr record_;
  std::unique_ptr<Balancer> balancer_;
  std::unique_ptr<OutlierDetector> outlier_;
};

/// The clusters of one loop, made when they are first asked for.
class Clusters {
 public:
  Clusters(Circuits& circuits, Standpoint standpoint)
      : circuits_(circuits), standpoint_(std::move(standpoint)) {}
  Clusters(const Clusters&) = delete;
  Clusters& operator=(const Clusters&) = delete;

  /// The cluster of this key as `snapshot` has it; null when neither a configuration nor a service
  /// knows it. The pointer keeps it alive.
  [[nodiscard]] std::shared_ptr<Cluster> find(const model::SnapshotPtr& snapshot,
                                              std::string_view key, MonoTime now);
  /// Drops what no snapshot knows any more and nobody uses. Called now and then.
  void sweep(const model::Snapshot& snapshot);
  template <typename Visit>
  void for_each(Visit&& visit) const {
    for (const auto& [key, entry] : by_key_) visit(*entry.cluster);
  }

 private:
  struct Entry {
    std::shared_ptr<Cluster> cluster;
    std::uint64_t version = 0;  // of the snapshot that it was last updated from
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>()(text);
    }
  };
  Circuits& circuits_;
  const Standpoint standpoint_;
  std::unordered_map<std::string, Entry, Hash, std::equal_to<>> by_key_;
};

}  // namespace aquifer::waypoint
