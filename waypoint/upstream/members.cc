#include "waypoint/upstream/members.h"

#include "waypoint/upstream/stable_hash.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace aquifer::waypoint {
namespace {

struct Candidate {
  const model::WorkloadPtr* workload = nullptr;
  SocketAddress address;
  std::uint32_t weight = 1;
  bool ready = false;
};

const IpAddress* address_of(const model::Workload& workload, const model::Service& service) {
  switch (service.ip_families) {
    case model::IpFamilies::v4: return model::address_like(workload, IpAddress::any_v4());
    case model::IpFamilies::v6: return model::address_like(workload, IpAddress::any_v6());
    case model::IpFamilies::dual: break;
  }
  return workload.addresses.empty() ? nullptr : &workload.addresses.front();
}

bool in_subset(const l7::Cluster& cluster, std::string_view uid) {
  return !cluster.members || std::ranges::binary_search(*cluster.members, uid, std::less<>());
}

// The same conditions as for connections (endpoint_choice.cc).
std::optional<Candidate> consider(const MembersQuestion& question,
                                  const model::Endpoint& endpoint) {
  const model::Service& service = *question.record->service;
  if (!in_subset(question.cluster, endpoint.workload_uid)) return std::nullopt;
  const auto port = endpoint.target_port(question.cluster.port);
  if (!port) return std::nullopt;
  const model::WorkloadPtr& workload = question.snapshot.workload_by_uid(endpoint.workload_uid);
  if (workload == nullptr || workload->network != question.here.network) return std::nullopt;
  const IpAddress* ip = address_of(*workload, service);
  if (ip == nullptr && workload->hostname.empty()) return std::nullopt;
  Candidate candidate;
  candidate.workload = &workload;
  candidate.address = SocketAddress{ip != nullptr ? *ip : IpAddress(), *port};
  candidate.weight = std::max(endpoint.weight, 1U);
  candidate.ready = endpoint.health == model::Health::healthy ||
                    service.balancing.health == model::HealthPolicy::allow_all;
  return candidate;
}

EndpointPtr make_endpoint(const Candidate& candidate, const MembersQuestion& question) {
  auto endpoint = std::make_shared<Endpoint>();
  const model::Workload& workload = **candidate.workload;
  endpoint->workload = *candidate.workload;
  endpoint->address = candidate.address;
  endpoint->id = model::endpoint_id(workload.uid, candidate.address.port);
  endpoint->stable_id = stable_endpoint_id(workload.uid, candidate.address.port);
  endpoint->weight = candidate.weight;
  endpoint->ready = candidate.ready;
  if (question.newcomers == Newcomers::cold) endpoint->since = question.now;
  return endpoint;
}

// Would a connection that was made to one be as good for the other? Not if it ends elsewhere, or
// proved another identity.
bool is_reached_alike(const model::Workload& a, const model::Workload& b) {
  return a.addresses == b.addresses && a.hostname == b.hostname && a.identity == b.identity &&
         a.protocol == b.protocol && a.tunnel_port == b.tunnel_port && a.pod_uid == b.pod_uid;
}

// It changed: whoever holds the old one still sees it as it was.
EndpointPtr make_successor(const EndpointPtr& old, const Candidate& candidate) {
  auto endpoint = std::make_shared<Endpoint>(*old);
  if (endpoint->address != candidate.address ||
      !is_reached_alike(*old->workload, **candidate.workload))
    endpoint->connections.reset();
  endpoint->workload = *candidate.workload;
  endpoint->address = candidate.address;
  old->successor = endpoint;
  return endpoint;
}

bool is_same_place(const Endpoint& endpoint, const Candidate& candidate) {
  return endpoint.workload == *candidate.workload && endpoint.address == candidate.address;
}

// Takes over what may change in place. True if something did.
bool refresh_marks(Endpoint& endpoint, const Candidate& candidate, MonoTime now) {
  if (endpoint.weight == candidate.weight && endpoint.ready == candidate.ready) return false;
  if (candidate.ready && !endpoint.ready) endpoint.since = now;
  endpoint.weight = candidate.weight;
  endpoint.ready = candidate.ready;
  return true;
}

// Walks along the members before, which are sorted as the service's endpoints are.
class Walk {
 public:
  explicit Walk(std::span<const EndpointPtr> before) : rest_(before) {}
  const EndpointPtr* find(std::string_view uid, std::uint16_t port) {
    while (!rest_.empty() && rest_.front()->workload->uid < uid) rest_ = rest_.subspan(1);
    if (rest_.empty() || rest_.front()->workload->uid != uid) return nullptr;
    return rest_.front()->address.port == port ? &rest_.front() : nullptr;
  }

 private:
  std::span<const EndpointPtr> rest_;
};

}  // namespace

Members gather_members(const MembersQuestion& question) {
  Members members;
  Walk walk(question.before);
  std::size_t kept = 0;
  const auto none = std::span<const model::Endpoint>();
  for (const model::Endpoint& each :
       question.record != nullptr ? std::span(question.record->endpoints->endpoints) : none) {
    const auto candidate = consider(question, each);
    if (!candidate) continue;
    const EndpointPtr* old = walk.find(each.workload_uid, candidate->address.port);
    if (old == nullptr) {
      members.endpoints.push_back(make_endpoint(*candidate, question));
      continue;
    }
    ++kept;
    if (is_same_place(**old, *candidate)) {
      members.endpoints.push_back(*old);
    } else {
      members.endpoints.push_back(make_successor(*old, *candidate));
      members.changed = true;
    }
    if (refresh_marks(*members.endpoints.back(), *candidate, question.now)) members.changed = true;
  }
  if (kept != question.before.size() || kept != members.endpoints.size()) members.changed = true;
  return members;
}

}  // namespace aquifer::waypoint
