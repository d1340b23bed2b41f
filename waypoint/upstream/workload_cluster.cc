#include "waypoint/upstream/workload_cluster.h"

#include <charconv>
#include <memory>
#include <utility>

namespace aquifer::waypoint {
namespace {

constexpr std::string_view kPrefix = "workload:";

}  // namespace

std::string workload_cluster_key(std::string_view uid, std::uint16_t port) {
  std::string key(kPrefix);
  return key.append(uid).append(":").append(std::to_string(port));
}

l7::ClusterPtr workload_cluster(std::string_view key) {
  if (!key.starts_with(kPrefix)) return nullptr;
  const std::size_t colon = key.rfind(':');
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(key.data() + colon + 1, key.data() + key.size(), port);
  if (error != std::errc{} || end != key.data() + key.size() || port == 0 || colon < kPrefix.size())
    return nullptr;
  auto cluster = std::make_shared<l7::Cluster>();
  cluster->key = key;
  cluster->port = port;
  cluster->protocol = l7::UpstreamProtocol::same_as_client;
  cluster->members.emplace();
  cluster->members->emplace_back(key.substr(kPrefix.size(), colon - kPrefix.size()));
  return cluster;
}

bool is_workload_cluster(const l7::Cluster& cluster) noexcept {
  return cluster.key.starts_with(kPrefix);
}

model::ServiceRecord lone_record(const l7::Cluster& cluster) {
  auto service = std::make_shared<model::Service>();
  model::ServicePort port;
  port.port = cluster.port;
  port.target_port = cluster.port;
  service->ports.push_back(std::move(port));
  auto endpoints = std::make_shared<model::EndpointSet>();
  model::Endpoint endpoint;
  endpoint.workload_uid = cluster.members->front();
  endpoint.ports.push_back({cluster.port, cluster.port});
  endpoints->endpoints.push_back(std::move(endpoint));
  return {std::move(service), std::move(endpoints)};
}

}  // namespace aquifer::waypoint
