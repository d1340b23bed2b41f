#include "waypoint/upstream/circuit.h"

#include <algorithm>

namespace aquifer::waypoint {
namespace {

std::atomic<std::uint32_t>& counter_of(CircuitCounters& counters, CircuitKind kind) noexcept {
  switch (kind) {
    case CircuitKind::connection: return counters.connections;
    case CircuitKind::pending: return counters.pending;
    case CircuitKind::request: return counters.requests;
    case CircuitKind::retry: return counters.retries;
  }
  return counters.requests;
}

std::uint32_t limit_of(const CircuitCounters& counters, const l7::PoolLimits& limits,
                       CircuitKind kind) noexcept {
  switch (kind) {
    case CircuitKind::connection: return limits.connections_max;
    case CircuitKind::pending: return limits.pending_max;
    case CircuitKind::request: return limits.requests_max;
    case CircuitKind::retry:
      return retries_allowed(limits, counters.requests.load(std::memory_order_relaxed),
                             counters.pending.load(std::memory_order_relaxed));
  }
  return 0;
}

}  // namespace

std::uint32_t retries_allowed(const l7::PoolLimits& limits, std::uint32_t requests,
                              std::uint32_t pending) noexcept {
  if (!limits.retry_budget_percent) return limits.retries_max;
  // Written so that a value that is no number counts as zero.
  const double percent = *limits.retry_budget_percent > 0 ? *limits.retry_budget_percent : 0;
  const double share = std::min(percent, 100.0) / 100 *
                       (static_cast<double>(requests) + static_cast<double>(pending));
  const auto budget =
      static_cast<std::uint32_t>(std::min(share, static_cast<double>(l7::PoolLimits::kUnlimited)));
  return std::min(std::max(budget, limits.retry_budget_min), limits.retries_max);
}

Permit try_permit(const std::shared_ptr<CircuitCounters>& counters, const l7::PoolLimits& limits,
                  CircuitKind kind) {
  std::atomic<std::uint32_t>& counter = counter_of(*counters, kind);
  const std::uint32_t limit = limit_of(*counters, limits, kind);
  // Compare and exchange: an addition that is taken back would refuse somebody else meanwhile.
  std::uint32_t held = counter.load(std::memory_order_relaxed);
  while (held < limit) {
    if (counter.compare_exchange_weak(held, held + 1, std::memory_order_relaxed))
      return {counters, counter};
  }
  counters->overflows.fetch_add(1, std::memory_order_relaxed);
  return {};
}

std::shared_ptr<CircuitCounters> Circuits::of(const std::string& cluster_key) {
  const std::scoped_lock lock(mutex_);
  std::weak_ptr<CircuitCounters>& known = by_key_[cluster_key];
  if (auto counters = known.lock()) return counters;
  auto counters = std::make_shared<CircuitCounters>();
  known = counters;
  if (by_key_.size() >= sweep_at_) {
    std::erase_if(by_key_, [](const auto& entry) { return entry.second.expired(); });
    sweep_at_ = 2 * by_key_.size() + kSweepFirst;
  }
  return counters;
}

Circuits::Totals Circuits::totals(MonoTime now) {
  Totals totals;
  const std::scoped_lock lock(mutex_);
  for (const auto& [key, known] : by_key_) {
    const auto counters = known.lock();
    if (counters == nullptr) continue;
    totals.connections += counters->connections.load(std::memory_order_relaxed);
    totals.ejected += counters->ejections.ejected(now);
  }
  return totals;
}

}  // namespace aquifer::waypoint
