#include "config/model/endpoint_choice.h"

namespace aquifer::model {
namespace {

// Draws before all endpoints are looked at. With half of the endpoints eligible, 255 of 256
// connections need no scan; a scan of 10,000 endpoints takes a millisecond.
constexpr int kDraws = 8;

// splitmix64: a sequence of independent numbers from the one that the caller drew.
class RandomSequence {
 public:
  explicit RandomSequence(std::uint64_t seed) : state_(seed) {}
  /// In [0, bound); the bias is below 2^-32 for every bound in use.
  std::uint64_t below(std::uint64_t bound) {
    state_ += 0x9e3779b97f4a7c15ULL;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebULL;
    return (z ^ (z >> 31U)) % bound;
  }

 private:
  std::uint64_t state_;
};

// What stays the same for all endpoints that are looked at for one connection.
struct Question {
  const Snapshot& snapshot;
  const Service& service;
  const Workload& client;
  const OriginalDst& destination;
};

struct Candidate {
  const WorkloadPtr* workload = nullptr;
  SocketAddress address;
};

std::optional<Candidate> eligible(const Question& question, const Endpoint& endpoint) {
  if (endpoint.health != Health::healthy) return std::nullopt;
  const auto port = endpoint.target_port(question.destination.addr.port);
  if (!port) return std::nullopt;
  const WorkloadPtr& workload = question.snapshot.workload_by_uid(endpoint.workload_uid);
  // Another network is reached through a gateway only, which this version has not got.
  if (workload == nullptr || workload->network != question.client.network) return std::nullopt;
  const IpAddress* ip = address_like(*workload, question.destination.addr.ip);
  if (ip == nullptr) return std::nullopt;
  return Candidate{&workload, SocketAddress{*ip, *port}};
}

// Two unknown values count as equal: without zones every endpoint is in the client's zone.
bool same_scope(RoutingScope scope, const Workload& client, const Workload& endpoint) {
  switch (scope) {
    case RoutingScope::network: return client.network == endpoint.network;
    case RoutingScope::region: return client.locality.region == endpoint.locality.region;
    case RoutingScope::zone: return client.locality.zone == endpoint.locality.zone;
    case RoutingScope::subzone: return client.locality.subzone == endpoint.locality.subzone;
    case RoutingScope::node: return client.node == endpoint.node;
    case RoutingScope::cluster: return client.cluster_id == endpoint.cluster_id;
  }
  return false;
}

// How many scopes, from the first on, the endpoint shares with the client.
std::size_t rank_of(const Question& question, const Workload& endpoint) {
  std::size_t rank = 0;
  for (const RoutingScope scope : question.service.balancing.scopes) {
    if (!same_scope(scope, question.client, endpoint)) break;
    ++rank;
  }
  return rank;
}

// Rejection sampling: exact, because every draw that is accepted came from the whole set by weight.
std::optional<Candidate> draw(const Question& question, const EndpointSet& set,
                              RandomSequence& random) {
  for (int i = 0; i < kDraws; ++i) {
    const Endpoint& endpoint = set.endpoints[random.below(set.endpoints.size())];
    if (random.below(set.weight_max) >= endpoint.weight) continue;
    if (auto candidate = eligible(question, endpoint)) return candidate;
  }
  return std::nullopt;
}

// One pass over all endpoints, keeping one of the best rank in proportion to its weight.
std::optional<Candidate> scan(const Question& question, const EndpointSet& set,
                              RandomSequence& random) {
  const LoadBalancing& balancing = question.service.balancing;
  std::optional<Candidate> chosen;
  std::size_t best_rank = 0;
  std::uint64_t weight_sum = 0;
  for (const Endpoint& endpoint : set.endpoints) {
    const auto candidate = eligible(question, endpoint);
    if (!candidate) continue;
    const bool ranked = balancing.mode != BalancingMode::standard;
    const std::size_t rank = ranked ? rank_of(question, **candidate->workload) : 0;
    if (balancing.mode == BalancingMode::strict && rank < balancing.scopes.size()) continue;
    if (chosen && rank < best_rank) continue;
    if (rank > best_rank) weight_sum = 0;
    best_rank = rank;
    weight_sum += endpoint.weight;
    if (random.below(weight_sum) < endpoint.weight) chosen = candidate;
  }
  return chosen;
}

}  // namespace

std::optional<EndpointChoice> choose_endpoint(const Snapshot& snapshot, const ServiceRecord& record,
                                              const Workload& client,
                                              const OriginalDst& destination,
                                              std::uint64_t random) {
  const EndpointSet& set = *record.endpoints;
  if (set.endpoints.empty()) return std::nullopt;
  const Question question{snapshot, *record.service, client, destination};
  RandomSequence sequence(random);
  std::optional<Candidate> chosen;
  if (record.service->balancing.mode == BalancingMode::standard) {
    chosen = draw(question, set, sequence);
  }
  if (!chosen) chosen = scan(question, set, sequence);
  if (!chosen) return std::nullopt;
  return EndpointChoice{*chosen->workload, chosen->address};
}

}  // namespace aquifer::model
