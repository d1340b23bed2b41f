#include "common/http2/flood_guard.h"

#include <algorithm>

namespace aquifer::http2 {
namespace {

constexpr std::uint64_t kMilli = 1000;

}  // namespace

const char* name_of(Flood kind) noexcept {
  switch (kind) {
    case Flood::early_reset: return "streams that end before their answer";
    case Flood::settings: return "SETTINGS frames";
    case Flood::ping: return "PING frames";
    case Flood::empty_data: return "empty DATA frames";
    case Flood::window_update: return "WINDOW_UPDATE frames";
    case Flood::other: return "PRIORITY or unknown frames";
  }
  return "frames";
}

FloodGuard::FloodGuard(const FloodLimits& limits) noexcept {
  for (std::size_t kind = 0; kind < kFloodKinds; ++kind) {
    const FloodLimit limit = limits.by_kind[kind];
    buckets_[kind] = {.limit = limit, .level_milli = limit.burst * kMilli, .updated_ms = 0};
  }
}

bool FloodGuard::admit(Flood kind, std::uint32_t now_ms) noexcept {
  Bucket& bucket = buckets_[static_cast<std::size_t>(kind)];
  // A thousandth of an event per millisecond is one event a second.
  const std::uint64_t gained = std::uint64_t{now_ms - bucket.updated_ms} * bucket.limit.per_second;
  bucket.level_milli = std::min(bucket.level_milli + gained, bucket.limit.burst * kMilli);
  bucket.updated_ms = now_ms;
  if (bucket.level_milli < kMilli) return false;
  bucket.level_milli -= kMilli;
  return true;
}

void FloodGuard::earn(Flood kind, std::uint32_t events) noexcept {
  Bucket& bucket = buckets_[static_cast<std::size_t>(kind)];
  bucket.level_milli = std::min(bucket.level_milli + events * kMilli, bucket.limit.burst * kMilli);
}

}  // namespace aquifer::http2
