// A cluster as one loop runs it: its endpoints, which of them gets a request, and which are left
// out because they fail. Follows the configuration without forgetting what it learned.
#pragma once

#include "common/base/result.h"
#include "config/model/l7/cluster.h"
#include "config/model/snapshot.h"
#include "waypoint/upstream/circuit.h"
#include "waypoint/upstream/endpoint.h"
#include "waypoint/upstream/standpoint.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace aquifer::waypoint {

/// What a choice depends on besides the cluster.
struct PickRequest {
  MonoTime now{};
  std::uint64_t random = 0;
  /// Of the request, for consistent hashing (request_hash.h); none: random.
  std::optional<std::uint64_t> hash;
  /// Endpoints that this request tried in vain: chosen again only if nothing else is there.
  std::span<const model::EndpointId> tried;
  /// The endpoint of the client's session, if it is still there; 0: none.
  model::EndpointId preferred = 0;
};

class Spread;

/// One loop. Made by Clusters, always in a shared_ptr: a lease keeps it alive.
class Cluster : public std::enable_shared_from_this<Cluster> {
 public:
  Cluster(l7::ClusterPtr config, std::shared_ptr<CircuitCounters> circuit, Standpoint standpoint);
  ~Cluster();
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  /// Takes over what changed: endpoints that stay keep what is known of them. Costs a look at each
  /// endpoint of the service when nothing did.
  void update(const model::Snapshot& snapshot, l7::ClusterPtr config, MonoTime now);

  /// Where it balances from, as of the next update().
  void stand_at(Standpoint standpoint);

  /// Chooses an endpoint. Errors: not_found (flag UH: none is there, or none is healthy).
  [[nodiscard]] Result<Lease> pick(const PickRequest& request);

  [[nodiscard]] const l7::Cluster& config() const noexcept { return *config_; }
  [[nodiscard]] const l7::ClusterPtr& config_pointer() const noexcept { return config_; }
  [[nodiscard]] const std::shared_ptr<CircuitCounters>& circuit() const noexcept {
    return circuit_;
  }
  /// The service as of the last update; null when there was none.
  [[nodiscard]] const model::ServicePtr& service() const noexcept { return service_; }
  /// All that serve the port, sorted by uid, also those that are not ready.
  [[nodiscard]] std::span<const EndpointPtr> endpoints() const noexcept { return endpoints_; }
  /// Is it left out by outlier detection now? For pages.
  [[nodiscard]] bool is_ejected(const Endpoint& endpoint, MonoTime now) const noexcept;
  /// Who a session belongs to (session.h); 0: nobody that is here.
  [[nodiscard]] model::EndpointId find_stable(std::uint64_t stable_id) const;

 private:
  friend class Lease;
  void finished(Endpoint& endpoint, Duration latency, MonoTime now, Outcome outcome, int status);
  void follow_records();
  void refresh(MonoTime now, std::uint64_t random);
  [[nodiscard]] Endpoint* find_preferred(const PickRequest& request) const;
  [[nodiscard]] std::size_t ready_count() const noexcept;

  l7::ClusterPtr config_;
  std::shared_ptr<CircuitCounters> circuit_;
  Standpoint standpoint_;
  bool moved_ = false;  // since the last update
  model::ServicePtr service_;
  std::vector<EndpointPtr> endpoints_;
  std::unique_ptr<Spread> spread_;
  bool updated_once_ = false;
  // What the usable marks were made from: they hold until somebody else is left out or returns.
  std::uint64_t seen_generation_ = 0;
  MonoTime next_return_ = MonoTime::max();
};

/// The clusters of one loop, made when they are first asked for, each following the newest version
/// of the mesh that somebody brought along. All snapshots are of one store: versions are compared.
class Clusters {
 public:
  explicit Clusters(Circuits& circuits, Standpoint standpoint = {})
      : circuits_(circuits), standpoint_(std::move(standpoint)) {}
  Clusters(const Clusters&) = delete;
  Clusters& operator=(const Clusters&) = delete;

  /// The cluster of this key as `snapshot` has it, or as a newer one that was seen already; null
  /// when neither a configuration nor a service knows it. The pointer keeps it alive.
  [[nodiscard]] std::shared_ptr<Cluster> find(const model::SnapshotPtr& snapshot,
                                              std::string_view key, MonoTime now);
  /// Where the waypoint is, from now on. Clusters balance from there once they are asked for again,
  /// and keep what they have learned.
  void stand_at(const Standpoint& standpoint);
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
  Standpoint standpoint_;
  std::unordered_map<std::string, Entry, Hash, std::equal_to<>> by_key_;
};

}  // namespace aquifer::waypoint
