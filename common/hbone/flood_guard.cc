#include "common/hbone/flood_guard.h"

#include <algorithm>

namespace aquifer::hbone {
namespace {

constexpr std::uint32_t kMilli = 1000;

}  // namespace

FloodGuard::FloodGuard(const FloodLimits& limits) noexcept {
  for (std::size_t kind = 0; kind < kFloodKinds; ++kind) {
    buckets_[kind] = {.level_milli = limits.by_kind[kind].burst * kMilli, .updated_ms = 0};
  }
}

bool FloodGuard::admit(const FloodLimits& limits, Flood kind, std::uint32_t now_ms) noexcept {
  const FloodLimit& limit = limits.by_kind[static_cast<std::size_t>(kind)];
  Bucket& bucket = buckets_[static_cast<std::size_t>(kind)];
  // A thousandth of an event per millisecond is one event a second.
  const std::uint64_t gained = std::uint64_t{now_ms - bucket.updated_ms} * limit.per_second;
  bucket.level_milli = static_cast<std::uint32_t>(
      std::min<std::uint64_t>(bucket.level_milli + gained, std::uint64_t{limit.burst} * kMilli));
  bucket.updated_ms = now_ms;
  if (bucket.level_milli < kMilli) return false;
  bucket.level_milli -= kMilli;
  return true;
}

void FloodGuard::earn(const FloodLimits& limits, Flood kind, std::uint32_t events) noexcept {
  const FloodLimit& limit = limits.by_kind[static_cast<std::size_t>(kind)];
  Bucket& bucket = buckets_[static_cast<std::size_t>(kind)];
  bucket.level_milli = static_cast<std::uint32_t>(std::min<std::uint64_t>(
      bucket.level_milli + std::uint64_t{events} * kMilli, std::uint64_t{limit.burst} * kMilli));
}

}  // namespace aquifer::hbone
