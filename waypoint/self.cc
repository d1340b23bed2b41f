#include "waypoint/self.h"

#include <ifaddrs.h>

#include <memory>
#include <string>
#include <utility>

namespace aquifer::waypoint {
namespace {

model::WorkloadPtr by_service(const model::Snapshot& snapshot, std::string_view gateway,
                              std::string_view cluster_domain) {
  const std::size_t slash = gateway.find('/');
  const std::string ns(gateway.substr(0, slash));
  const std::string host =
      std::string(gateway.substr(slash + 1)) + "." + ns + ".svc." + std::string(cluster_domain);
  const auto& record = snapshot.service_by_host(ns, host);
  if (record == nullptr) return nullptr;
  for (const model::Endpoint& endpoint : record->endpoints->endpoints) {
    if (const auto& workload = snapshot.workload_by_uid(endpoint.workload_uid)) return workload;
  }
  return nullptr;
}

}  // namespace

std::vector<IpAddress> own_addresses() {
  std::vector<IpAddress> found;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return found;
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner(list, ::freeifaddrs);
  for (const ifaddrs* at = list; at != nullptr; at = at->ifa_next) {
    if (at->ifa_addr == nullptr) continue;
    const int family = at->ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6) continue;
    SockaddrStorage storage;
    storage.length = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
    std::copy_n(reinterpret_cast<const char*>(at->ifa_addr), storage.length,
                reinterpret_cast<char*>(storage.get()));
    const auto address = storage.to_address();
    if (!address || address->ip.is_loopback()) continue;
    found.push_back(address->ip);
  }
  return found;
}

SelfPtr find_self(const model::Snapshot& snapshot, std::string_view gateway,
                  std::string_view network, std::string_view cluster_domain,
                  std::span<const IpAddress> addresses) {
  auto self = std::make_shared<Self>();
  self->gateway = gateway;
  const std::string_view ns = gateway.substr(0, gateway.find('/'));
  for (const IpAddress& address : addresses) {
    const auto& workload = snapshot.workload_by_ip(network, address);
    if (workload != nullptr && workload->ns == ns) self->workload = workload;
  }
  if (self->workload == nullptr) self->workload = by_service(snapshot, gateway, cluster_domain);
  self->standpoint.network = network;
  if (self->workload != nullptr) {
    self->identity = self->workload->identity;
    self->standpoint.locality = self->workload->locality;
    self->standpoint.node = self->workload->node;
    self->standpoint.cluster_id = self->workload->cluster_id;
  }
  return self;
}

}  // namespace aquifer::waypoint
