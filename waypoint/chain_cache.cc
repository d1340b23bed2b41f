#include "waypoint/chain_cache.h"

#include "waypoint/upstream/workload_cluster.h"

#include <memory>
#include <utility>

namespace aquifer::waypoint {
namespace {

std::string key_of(const Downstream& downstream) {
  std::string key = downstream.service != nullptr ? downstream.service_key
                                                  : "workload:" + downstream.workload->uid;
  return key.append(":").append(std::to_string(downstream.port));
}

// Traffic to a workload itself: nobody says what its port speaks.
l7::ChainPtr workload_chain(const model::Workload& workload, std::uint16_t port) {
  auto chain = std::make_shared<l7::Chain>();
  chain->service = "workload:" + workload.uid;
  chain->port = port;
  chain->protocol = l7::Protocol::detect;
  auto route = std::make_shared<l7::Route>();
  route->name = "default";
  l7::WeightedCluster own;
  own.cluster = workload_cluster_key(workload.uid, port);
  l7::Forward forward;
  forward.clusters.push_back(std::move(own));
  route->action = std::move(forward);
  chain->routes = l7::RouteTable({std::move(route)});
  return chain;
}

}  // namespace

std::string own_cluster(const Downstream& downstream) {
  if (downstream.service == nullptr)
    return workload_cluster_key(downstream.workload->uid, downstream.port);
  return l7::cluster_key(downstream.service->ns, downstream.service->hostname, downstream.port);
}

l7::ChainPtr ChainCache::find(const model::SnapshotPtr& snapshot, const Downstream& downstream) {
  if (version_ != snapshot->version()) {
    by_key_.clear();
    version_ = snapshot->version();
  }
  auto [at, added] = by_key_.try_emplace(key_of(downstream), nullptr);
  if (!added) return at->second;
  if (downstream.service == nullptr) {
    at->second = workload_chain(*downstream.workload, downstream.port);
    return at->second;
  }
  const auto& record =
      snapshot->service_by_host(downstream.service->ns, downstream.service->hostname);
  if (record != nullptr) {
    at->second = l7::find_chain(*snapshot->books().routing, *record->service, downstream.port);
  }
  return at->second;
}

}  // namespace aquifer::waypoint
