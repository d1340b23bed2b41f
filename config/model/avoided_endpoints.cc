#include "config/model/avoided_endpoints.h"

#include <algorithm>

namespace aquifer::model {
namespace {

Duration pause_after(std::uint32_t failures) noexcept {
  Duration pause = AvoidedEndpoints::kFirstPause;
  for (std::uint32_t i = AvoidedEndpoints::kFailuresToAvoid; i < failures; ++i) {
    pause = std::min(pause * 2, AvoidedEndpoints::kLongestPause);
    if (pause == AvoidedEndpoints::kLongestPause) break;
  }
  return pause;
}

}  // namespace

bool AvoidedEndpoints::contains(EndpointId endpoint, MonoTime now) const noexcept {
  if (entries_.empty()) return false;
  const auto at = entries_.find(endpoint);
  return at != entries_.end() && at->second.avoid_until > now;
}

void AvoidedEndpoints::failed(EndpointId endpoint, MonoTime now) {
  if (entries_.size() >= kEndpointsMax && !entries_.contains(endpoint)) make_room(now);
  Entry& entry = entries_[endpoint];
  if (now - entry.last_failure > kMemory) entry.failures = 0;
  // A burst of connections that were on their way together counts once: they all saw the same
  // moment.
  if (entry.avoid_until > now) return;
  ++entry.failures;
  entry.last_failure = now;
  if (entry.failures >= kFailuresToAvoid) entry.avoid_until = now + pause_after(entry.failures);
}

void AvoidedEndpoints::succeeded(EndpointId endpoint) noexcept {
  if (!entries_.empty()) entries_.erase(endpoint);
}

void AvoidedEndpoints::make_room(MonoTime now) {
  std::erase_if(entries_, [&](const auto& item) {
    return item.second.avoid_until <= now && now - item.second.last_failure > kFirstPause;
  });
  if (entries_.size() < kEndpointsMax) return;
  const auto oldest = std::ranges::min_element(
      entries_, {}, [](const auto& item) { return item.second.last_failure; });
  entries_.erase(oldest);
}

}  // namespace aquifer::model
