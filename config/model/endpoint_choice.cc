#include "config/model/endpoint_choice.h"

#include <algorithm>

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

struct Candidate {
  EndpointVerdict verdict = EndpointVerdict::eligible;
  const WorkloadPtr* workload = nullptr;
  SocketAddress address;
  EndpointId id = 0;
};

// The address of a family that both the service and the client can use, else the primary one.
const IpAddress* address_of(const Workload& workload, const Service& service,
                            const IpAddress& wanted) {
  switch (service.ip_families) {
    case IpFamilies::v4: return address_like(workload, IpAddress::any_v4());
    case IpFamilies::v6: return address_like(workload, IpAddress::any_v6());
    case IpFamilies::dual: break;
  }
  return address_like(workload, wanted);
}

bool is_avoided(const EndpointQuestion& question, EndpointId id) {
  return question.avoided != nullptr && question.avoided->contains(id, question.now);
}

// What the endpoint is by itself; how it compares with others is decided by whoever asks.
Candidate consider(const EndpointQuestion& question, const Endpoint& endpoint) {
  const Service& service = *question.record.service;
  const auto refused = [](EndpointVerdict verdict, const WorkloadPtr* workload = nullptr) {
    return Candidate{verdict, workload, {}, 0};
  };
  const bool health_counts = service.balancing.health == HealthPolicy::only_healthy;
  if (health_counts && endpoint.health != Health::healthy)
    return refused(EndpointVerdict::unhealthy);
  auto port = endpoint.target_port(question.wanted.port);
  if (!port && question.ports == PortRule::mapped_or_same) port = question.wanted.port;
  if (!port) return refused(EndpointVerdict::no_port);
  const WorkloadPtr& workload = question.snapshot.workload_by_uid(endpoint.workload_uid);
  if (workload == nullptr) return refused(EndpointVerdict::unknown_workload);
  // Another network is reached through a gateway only, which this version has not got.
  if (workload->network != question.client.network)
    return refused(EndpointVerdict::other_network, &workload);
  const IpAddress* ip = address_of(*workload, service, question.wanted.ip);
  if (ip == nullptr && workload->hostname.empty())
    return refused(EndpointVerdict::no_address, &workload);
  Candidate candidate;
  candidate.workload = &workload;
  candidate.address = SocketAddress{ip != nullptr ? *ip : IpAddress(), *port};
  candidate.id = endpoint_id(endpoint.workload_uid, *port);
  if (std::ranges::find(question.tried, candidate.id) != question.tried.end())
    candidate.verdict = EndpointVerdict::tried;
  return candidate;
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

bool is_ranked(const LoadBalancing& balancing) {
  return balancing.mode == BalancingMode::failover || balancing.mode == BalancingMode::strict;
}

// How many scopes, from the first on, the endpoint shares with the client.
std::size_t rank_of(const EndpointQuestion& question, const Workload& endpoint) {
  if (!is_ranked(question.record.service->balancing)) return 0;
  std::size_t rank = 0;
  for (const RoutingScope scope : question.record.service->balancing.scopes) {
    if (!same_scope(scope, question.client, endpoint)) break;
    ++rank;
  }
  return rank;
}

bool is_too_far(const EndpointQuestion& question, std::size_t rank) {
  const LoadBalancing& balancing = question.record.service->balancing;
  return balancing.mode == BalancingMode::strict && rank < balancing.scopes.size();
}

// Rejection sampling: exact, because every draw that is accepted came from the whole set by weight.
std::optional<Candidate> draw(const EndpointQuestion& question, RandomSequence& random) {
  const EndpointSet& set = *question.record.endpoints;
  for (int i = 0; i < kDraws; ++i) {
    const Endpoint& endpoint = set.endpoints[random.below(set.endpoints.size())];
    if (random.below(set.weight_max) >= endpoint.weight) continue;
    const Candidate candidate = consider(question, endpoint);
    if (candidate.verdict != EndpointVerdict::eligible || is_avoided(question, candidate.id))
      continue;
    return candidate;
  }
  return std::nullopt;
}

enum class Avoided : std::uint8_t { left_out, taken };

// One pass over all endpoints, keeping one of the best rank in proportion to its weight.
std::optional<Candidate> scan(const EndpointQuestion& question, RandomSequence& random,
                              Avoided avoided) {
  std::optional<Candidate> chosen;
  std::size_t best_rank = 0;
  std::uint64_t weight_sum = 0;
  for (const Endpoint& endpoint : question.record.endpoints->endpoints) {
    const Candidate candidate = consider(question, endpoint);
    if (candidate.verdict != EndpointVerdict::eligible) continue;
    if (avoided == Avoided::left_out && is_avoided(question, candidate.id)) continue;
    const std::size_t rank = rank_of(question, **candidate.workload);
    if (is_too_far(question, rank)) continue;
    if (chosen && rank < best_rank) continue;
    if (rank > best_rank) weight_sum = 0;
    best_rank = rank;
    weight_sum += endpoint.weight;
    if (random.below(weight_sum) < endpoint.weight) chosen = candidate;
  }
  return chosen;
}

}  // namespace

std::optional<EndpointChoice> choose_endpoint(const EndpointQuestion& question) {
  if (question.record.endpoints->endpoints.empty()) return std::nullopt;
  RandomSequence sequence(question.random);
  std::optional<Candidate> chosen;
  if (!is_ranked(question.record.service->balancing)) chosen = draw(question, sequence);
  if (!chosen) chosen = scan(question, sequence, Avoided::left_out);
  // Everything fails of late: then all are as good as any.
  const bool some_avoided = question.avoided != nullptr && !question.avoided->empty();
  if (!chosen && some_avoided) chosen = scan(question, sequence, Avoided::taken);
  if (!chosen) return std::nullopt;
  return EndpointChoice{*chosen->workload, chosen->address, chosen->id};
}

std::string_view name_of(EndpointVerdict verdict) noexcept {
  switch (verdict) {
    case EndpointVerdict::eligible: return "eligible";
    case EndpointVerdict::unhealthy: return "unhealthy";
    case EndpointVerdict::no_port: return "does not serve the port";
    case EndpointVerdict::unknown_workload: return "unknown workload";
    case EndpointVerdict::other_network: return "on another network";
    case EndpointVerdict::no_address: return "no address";
    case EndpointVerdict::tried: return "tried in vain";
    case EndpointVerdict::too_far: return "too far";
    case EndpointVerdict::outranked: return "others are nearer";
    case EndpointVerdict::avoided: return "avoided after failures";
  }
  return "eligible";
}

std::vector<EndpointTrace> judge_endpoints(const EndpointQuestion& question) {
  std::vector<EndpointTrace> traces;
  bool others_left = false;
  for (const Endpoint& endpoint : question.record.endpoints->endpoints) {
    const Candidate candidate = consider(question, endpoint);
    EndpointTrace trace;
    trace.uid = endpoint.workload_uid;
    if (candidate.workload != nullptr) trace.workload = *candidate.workload;
    trace.address = candidate.address;
    trace.weight = endpoint.weight;
    trace.verdict = candidate.verdict;
    trace.id = candidate.id;
    if (trace.workload != nullptr) trace.rank = rank_of(question, *trace.workload);
    if (trace.verdict == EndpointVerdict::eligible && is_too_far(question, trace.rank))
      trace.verdict = EndpointVerdict::too_far;
    others_left = others_left ||
                  (trace.verdict == EndpointVerdict::eligible && !is_avoided(question, trace.id));
    traces.push_back(std::move(trace));
  }
  std::size_t best_rank = 0;
  for (EndpointTrace& trace : traces) {
    if (trace.verdict != EndpointVerdict::eligible) continue;
    if (others_left && is_avoided(question, trace.id)) {
      trace.verdict = EndpointVerdict::avoided;
    } else {
      best_rank = std::max(best_rank, trace.rank);
    }
  }
  for (EndpointTrace& trace : traces) {
    if (trace.verdict == EndpointVerdict::eligible && trace.rank < best_rank)
      trace.verdict = EndpointVerdict::outranked;
  }
  return traces;
}

}  // namespace aquifer::model
