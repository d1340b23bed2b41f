#include "waypoint/upstream/cluster.h"

#include "waypoint/upstream/ewma.h"
#include "waypoint/upstream/members.h"
#include "waypoint/upstream/outlier.h"
#include "waypoint/upstream/spread.h"
#include "waypoint/upstream/workload_cluster.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace aquifer::waypoint {
namespace {

// What a failure counts as in a mean of latencies: one that refuses at once must not look fast.
constexpr Duration kFailureLatency = std::chrono::seconds(5);

bool is_failure(Outcome outcome, int status) noexcept {
  return outcome != Outcome::answered || status >= 500;
}

// Of a service that is gone: none.
const model::LoadBalancing& preference_of(const model::ServicePtr& service) {
  static const model::LoadBalancing kNone;
  return service != nullptr ? service->balancing : kNone;
}

PickContext context_of(const PickRequest& request, const l7::Cluster& config) noexcept {
  return {request.now, RandomSequence(request.random), request.hash, request.tried,
          config.balancing};
}

}  // namespace

Cluster::Cluster(l7::ClusterPtr config, std::shared_ptr<CircuitCounters> circuit,
                 Standpoint standpoint)
    : config_(std::move(config)),
      circuit_(std::move(circuit)),
      standpoint_(std::move(standpoint)),
      spread_(std::make_unique<Spread>()) {}

Cluster::~Cluster() = default;

void Cluster::update(const model::Snapshot& snapshot, l7::ClusterPtr config, MonoTime now) {
  const auto record = is_workload_cluster(*config)
                          ? std::make_shared<const model::ServiceRecord>(lone_record(*config))
                          : snapshot.service_by_host(config->service_ns, config->hostname);
  model::ServicePtr service = record != nullptr ? record->service : nullptr;
  Members members = gather_members({.snapshot = snapshot,
                                    .record = record.get(),
                                    .cluster = *config,
                                    .here = standpoint_,
                                    .before = endpoints_,
                                    .newcomers = updated_once_ ? Newcomers::cold : Newcomers::warm,
                                    .now = now});
  const bool same_rules = config == config_ || (config->balancing == config_->balancing &&
                                                config->outlier == config_->outlier);
  const bool same_preference =
      service == service_ || preference_of(service) == preference_of(service_);
  const bool changed =
      members.changed || !same_rules || !same_preference || moved_ || !updated_once_;
  updated_once_ = true;
  moved_ = false;
  config_ = std::move(config);
  service_ = std::move(service);
  endpoints_ = std::move(members.endpoints);
  if (!changed) return;
  follow_records();
  spread_->rebuild(endpoints_, *config_, preference_of(service_), standpoint_);
  // Any number does for where turns begin, if it differs from loop to loop and time to time.
  refresh(now, mix_bits(static_cast<std::uint64_t>(now.time_since_epoch().count()) ^
                        reinterpret_cast<std::uintptr_t>(this)));
}

void Cluster::stand_at(Standpoint standpoint) {
  standpoint_ = std::move(standpoint);
  moved_ = true;
}

// Every loop's endpoint gets the one record of it.
void Cluster::follow_records() {
  for (const EndpointPtr& each : endpoints_) {
    if (!config_->outlier) {
      each->failures.reset();
    } else if (each->failures == nullptr) {
      each->failures = circuit_->ejections.record_of(each->id);
    }
  }
}

void Cluster::refresh(MonoTime now, std::uint64_t random) {
  // Read first: an ejection while we look is seen at the next choice.
  seen_generation_ = circuit_->ejections.generation();
  PickRequest request;
  request.now = now;
  request.random = random;
  PickContext context = context_of(request, *config_);
  next_return_ = spread_->refresh(*config_, context);
}

Result<Lease> Cluster::pick(const PickRequest& request) {
  if (circuit_->ejections.generation() != seen_generation_ || request.now >= next_return_)
    refresh(request.now, mix_bits(request.random));
  Endpoint* picked = request.preferred != 0 ? find_preferred(request) : nullptr;
  if (picked == nullptr) {
    PickContext context = context_of(request, *config_);
    picked = spread_->pick(context);
  }
  if (picked == nullptr)
    return fail(Error(Errc::not_found, ErrorSource::upstream, "no healthy upstream"));
  return Lease(shared_from_this(), picked->shared_from_this(), request.now);
}

Endpoint* Cluster::find_preferred(const PickRequest& request) const {
  if (std::ranges::find(request.tried, request.preferred) != request.tried.end()) return nullptr;
  const auto found = std::ranges::find(endpoints_, request.preferred,
                                       [](const EndpointPtr& each) { return each->id; });
  return found == endpoints_.end() || !(*found)->usable ? nullptr : found->get();
}

bool Cluster::is_ejected(const Endpoint& endpoint, MonoTime now) const noexcept {
  return endpoint.failures != nullptr && endpoint.failures->is_ejected(now);
}

model::EndpointId Cluster::find_stable(std::uint64_t stable_id) const {
  const auto found = std::ranges::find(endpoints_, stable_id,
                                       [](const EndpointPtr& each) { return each->stable_id; });
  return found == endpoints_.end() ? 0 : (*found)->id;
}

std::size_t Cluster::ready_count() const noexcept {
  return static_cast<std::size_t>(
      std::ranges::count_if(endpoints_, [](const EndpointPtr& each) { return each->ready; }));
}

void Cluster::finished(Endpoint& endpoint, Duration latency, MonoTime now, Outcome outcome,
                       int status) {
  if (outcome == Outcome::cancelled) return;
  if (config_->balancing.kind == l7::BalancerKind::ewma) {
    const Duration counted =
        is_failure(outcome, status) ? std::max(latency, kFailureLatency) : latency;
    note_latency(endpoint, counted, now);
  }
  if (endpoint.failures == nullptr || !config_->outlier) return;
  // While it is left out, what was under way before says nothing new.
  if (endpoint.failures->is_ejected(now)) return;
  if (note_outcome(*config_->outlier, *endpoint.failures, outcome, status))
    circuit_->ejections.eject(*endpoint.failures, *config_->outlier, ready_count(), now);
}

}  // namespace aquifer::waypoint
