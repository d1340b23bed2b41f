#include "config/model/l7/routing_book.h"

#include <algorithm>
#include <utility>

namespace aquifer::l7 {
namespace {

std::string chain_key(std::string_view service, std::uint16_t port) {
  std::string key(service);
  return key.append(":").append(std::to_string(port));
}

template <typename Ptr>
bool same(const std::vector<Ptr>& a, const std::vector<Ptr>& b) {
  return std::ranges::equal(
      a, b, [](const Ptr& one, const Ptr& other) { return one == other || *one == *other; });
}

}  // namespace

RoutingBook::RoutingBook(std::vector<ChainPtr> chains, std::vector<ClusterPtr> clusters)
    : chains_(std::move(chains)), clusters_(std::move(clusters)) {
  for (const ChainPtr& chain : chains_)
    chains_by_key_.emplace(chain_key(chain->service, chain->port), chain);
  for (const ClusterPtr& cluster : clusters_) clusters_by_key_.emplace(cluster->key, cluster);
}

ChainPtr RoutingBook::chain(std::string_view service, std::uint16_t port) const {
  const auto found = chains_by_key_.find(chain_key(service, port));
  return found == chains_by_key_.end() ? nullptr : found->second;
}

ClusterPtr RoutingBook::cluster(std::string_view key) const {
  const auto found = clusters_by_key_.find(std::string(key));
  return found == clusters_by_key_.end() ? nullptr : found->second;
}

bool operator==(const RoutingBook& a, const RoutingBook& b) {
  return same(a.chains_, b.chains_) && same(a.clusters_, b.clusters_);
}

UpstreamProtocol upstream_protocol(Protocol protocol) noexcept {
  if (protocol == Protocol::http2) return UpstreamProtocol::http2;
  return protocol == Protocol::detect ? UpstreamProtocol::same_as_client : UpstreamProtocol::http1;
}

ClusterPtr default_cluster(const model::Service& service, std::uint16_t port) {
  auto cluster = std::make_shared<Cluster>();
  cluster->key = cluster_key(service.ns, service.hostname, port);
  cluster->service_ns = service.ns;
  cluster->hostname = service.hostname;
  cluster->port = port;
  if (const model::ServicePort* known = service.find_port(port)) {
    cluster->protocol = upstream_protocol(protocol_of(known->app_protocol, known->name));
  }
  return cluster;
}

ChainPtr default_chain(const model::Service& service, const model::ServicePort& port) {
  auto chain = std::make_shared<Chain>();
  chain->service = model::service_key(service.ns, service.hostname);
  chain->port = port.port;
  chain->protocol = protocol_of(port.app_protocol, port.name);
  auto route = std::make_shared<Route>();
  route->name = "default";
  WeightedCluster own;
  own.cluster = cluster_key(service.ns, service.hostname, port.port);
  Forward forward;
  forward.clusters.push_back(std::move(own));
  route->action = std::move(forward);
  chain->routes = RouteTable({std::move(route)});
  return chain;
}

ChainPtr find_chain(const RoutingBook& book, const model::Service& service, std::uint16_t port) {
  if (auto written = book.chain(model::service_key(service.ns, service.hostname), port))
    return written;
  const model::ServicePort* known = service.find_port(port);
  return known == nullptr ? nullptr : default_chain(service, *known);
}

}  // namespace aquifer::l7
