// The chains of services, found once for each version of the mesh. One for each loop.
#pragma once

#include "config/model/l7/routing_book.h"
#include "config/model/snapshot.h"
#include "waypoint/downstream.h"

#include <cstdint>
#include <string>
#include <unordered_map>

namespace aquifer::waypoint {

class ChainCache {
 public:
  /// What holds for requests of this connection now; null when its service or port is gone.
  [[nodiscard]] l7::ChainPtr find(const model::SnapshotPtr& snapshot, const Downstream& downstream);

 private:
  // Keys are made of the names in the mesh, whose number is limited; they are dropped with the
  // version.
  std::unordered_map<std::string, l7::ChainPtr> by_key_;
  std::uint64_t version_ = 0;
};

/// The key of the cluster that a connection means, if no route says otherwise.
[[nodiscard]] std::string own_cluster(const Downstream& downstream);

}  // namespace aquifer::waypoint
