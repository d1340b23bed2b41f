#include "waypoint/upstream/ejections.h"

#include <algorithm>
#include <chrono>

namespace aquifer::waypoint {
namespace {

// Longer is no pause but a removal, and additions to the clock must not overflow.
constexpr Duration kLongestEjection = std::chrono::hours(24 * 30);

// Base, twice base, three times base, ..., as Envoy's.
Duration length_of(const l7::OutlierDetection& rules, std::uint32_t times) {
  const Duration base =
      std::clamp(rules.base_ejection, Duration(std::chrono::milliseconds(1)), kLongestEjection);
  const Duration longest = std::clamp(rules.ejection_max, base, kLongestEjection);
  return times > longest / base ? longest : std::min(base * times, longest);
}

// One step for each interval without an ejection, as Envoy forgives.
std::uint32_t forgiven(const l7::OutlierDetection& rules, std::uint32_t times, Duration since) {
  if (rules.interval <= Duration::zero() || since <= Duration::zero()) return times;
  const auto intervals = since / rules.interval;
  return intervals >= times ? 0 : times - static_cast<std::uint32_t>(intervals);
}

// The share is judged before the one in question is counted, so that clusters of less than ten
// are watched, too, where ten percent is the limit. But the last one is only taken by a limit
// that says so: an answer of a failing endpoint is better than none.
bool may_eject(const l7::OutlierDetection& rules, std::size_t ejected, std::size_t members) {
  if (ejected * 100 >= std::size_t{rules.ejected_percent_max} * members) return false;
  return ejected + 1 < members || rules.ejected_percent_max >= 100;
}

}  // namespace

std::shared_ptr<FailureRecord> Ejections::record_of(model::EndpointId endpoint) {
  const std::scoped_lock lock(mutex_);
  std::weak_ptr<FailureRecord>& known = records_[endpoint];
  if (auto record = known.lock()) return record;
  auto record = std::make_shared<FailureRecord>();
  known = record;
  if (records_.size() >= sweep_at_) {
    std::erase_if(records_, [](const auto& entry) { return entry.second.expired(); });
    sweep_at_ = 2 * records_.size() + kSweepFirst;
  }
  return record;
}

bool Ejections::eject(FailureRecord& record, const l7::OutlierDetection& rules, std::size_t members,
                      MonoTime now) {
  const std::scoped_lock lock(mutex_);
  // Another loop was faster.
  if (record.is_ejected(now)) return false;
  if (!may_eject(rules, count_ejected(now), members)) {
    refused_.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  record.times_ = forgiven(rules, record.times_, now - record.returns()) + 1;
  record.server_errors.store(0, std::memory_order_relaxed);
  record.gateway_errors.store(0, std::memory_order_relaxed);
  record.local_failures.store(0, std::memory_order_relaxed);
  const MonoTime until = now + length_of(rules, record.times_);
  record.returns_.store(until.time_since_epoch().count(), std::memory_order_release);
  generation_.fetch_add(1, std::memory_order_acq_rel);
  return true;
}

std::size_t Ejections::ejected(MonoTime now) const {
  const std::scoped_lock lock(mutex_);
  return count_ejected(now);
}

std::size_t Ejections::count_ejected(MonoTime now) const {
  return static_cast<std::size_t>(std::ranges::count_if(records_, [&](const auto& entry) {
    const auto record = entry.second.lock();
    return record != nullptr && record->is_ejected(now);
  }));
}

}  // namespace aquifer::waypoint
