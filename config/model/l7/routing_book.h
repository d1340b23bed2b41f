// All chains and clusters that somebody configured, of one version of the mesh. What nobody
// configured follows from the service alone. Immutable, hence any thread.
#pragma once

#include "config/model/l7/chain.h"
#include "config/model/l7/cluster.h"
#include "config/model/service.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace aquifer::l7 {

class RoutingBook {
 public:
  RoutingBook() = default;
  /// Of two with one key the first counts.
  RoutingBook(std::vector<ChainPtr> chains, std::vector<ClusterPtr> clusters);

  /// Null when nobody configured routes for it. `service` is its service_key().
  [[nodiscard]] ChainPtr chain(std::string_view service, std::uint16_t port) const;
  /// Null when nobody configured it. By Cluster::key.
  [[nodiscard]] ClusterPtr cluster(std::string_view key) const;
  [[nodiscard]] const std::vector<ChainPtr>& chains() const noexcept { return chains_; }
  [[nodiscard]] const std::vector<ClusterPtr>& clusters() const noexcept { return clusters_; }

  friend bool operator==(const RoutingBook& a, const RoutingBook& b);

 private:
  std::vector<ChainPtr> chains_;
  std::vector<ClusterPtr> clusters_;
  std::unordered_map<std::string, ChainPtr> chains_by_key_;
  std::unordered_map<std::string, ClusterPtr> clusters_by_key_;
};

using RoutingBookPtr = std::shared_ptr<const RoutingBook>;

/// What holds for a port that nobody wrote routes for: everything goes to its own cluster.
[[nodiscard]] ChainPtr default_chain(const model::Service& service, const model::ServicePort& port);
/// And for its cluster.
[[nodiscard]] ClusterPtr default_cluster(const model::Service& service, std::uint16_t port);

/// Null when the service has no such port.
[[nodiscard]] ChainPtr find_chain(const RoutingBook& book, const model::Service& service,
                                  std::uint16_t port);
[[nodiscard]] UpstreamProtocol upstream_protocol(Protocol protocol) noexcept;

}  // namespace aquifer::l7
