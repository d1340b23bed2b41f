#include "common/coro/work_meter.h"

#include <time.h>

#include <algorithm>
#include <utility>

namespace aquifer::coro {
namespace {

// About 0.4 ms: longer than a continuation's work, shorter than a turn of another thread.
constexpr std::uint64_t kSuspiciousTicks = 1'000'000;

std::chrono::nanoseconds thread_cpu_now() noexcept {
  timespec used{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

}  // namespace

void WorkShare::leave() noexcept {
  if (meter_ == nullptr) return;
  if (ticks_ != 0) meter_->settle();
  meter_->forget(*this);
  meter_ = nullptr;
}

WorkMeter::WorkMeter() noexcept
    : first_ticks_(ticks_now()),
      first_time_(std::chrono::steady_clock::now()),
      settled_cpu_(thread_cpu_now()) {}

std::uint64_t WorkMeter::ticks_now() noexcept {
#if defined(__x86_64__)
  return __builtin_ia32_rdtsc();
#else
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
#endif
}

void WorkMeter::lap() noexcept {
  const std::uint64_t now = ticks_now();
  // The counters of two cores may differ by a little when the thread has moved.
  std::uint64_t ticks = now > last_ ? now - last_ : 1;
  last_ = now;
  if (ticks > kSuspiciousTicks) ticks = without_interruptions(ticks);
  total_ticks_ += ticks;
  WorkShare* share = std::exchange(current_, nullptr);
  if (share == nullptr) return;
  if (share->ticks_ == 0) {
    share->next_ = worked_;
    worked_ = share;
  }
  share->ticks_ += ticks;
}

std::uint64_t WorkMeter::without_interruptions(std::uint64_t ticks) const noexcept {
  const std::chrono::nanoseconds elapsed = std::chrono::steady_clock::now() - first_time_;
  const double rate =
      static_cast<double>(last_ - first_ticks_) / static_cast<double>(elapsed.count());
  const std::chrono::nanoseconds used = thread_cpu_now() - settled_cpu_;
  const double possible =
      static_cast<double>(used.count()) * rate - static_cast<double>(total_ticks_);
  if (possible <= 1) return 1;
  return std::min(ticks, static_cast<std::uint64_t>(possible));
}

void WorkMeter::settle() noexcept {
  const std::chrono::nanoseconds now = thread_cpu_now();
  const std::chrono::nanoseconds used = now - settled_cpu_;
  settled_cpu_ = now;
  std::chrono::nanoseconds left = used;
  const double scale =
      total_ticks_ == 0 ? 0 : static_cast<double>(used.count()) / static_cast<double>(total_ticks_);
  WorkShare* share = std::exchange(worked_, nullptr);
  total_ticks_ = 0;
  while (share != nullptr) {
    WorkShare* next = std::exchange(share->next_, nullptr);
    const auto exact = static_cast<double>(std::exchange(share->ticks_, 0)) * scale;
    const auto part = std::min(std::chrono::nanoseconds(static_cast<std::int64_t>(exact)), left);
    share->cpu_ += part;
    left -= part;
    if (share != current_) share->meter_ = nullptr;
    if (share->settled_ != nullptr) share->settled_(*share);
    share = next;
  }
  nobodys_cpu_ += left;
}

void WorkMeter::forget(WorkShare& share) noexcept {
  if (current_ == &share) current_ = nullptr;
}

}  // namespace aquifer::coro
