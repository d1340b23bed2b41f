// Courtesy: what a loop that moves bulk owes those who send little. While nobody does, bulk moves
// in the largest bites; beside small messages it takes smaller ones, receives of bulk take turns
// (turns.h), and the CPU is left to whoever waits for it. On the loop's thread.
#pragma once

#include "common/base/time.h"

#include <sched.h>

#include <chrono>
#include <cstddef>

namespace aquifer::io {

class Courtesy {
 public:
  /// Somebody sent a small message.
  void saw_little(MonoTime now) noexcept { until_ = now + kMemory; }
  [[nodiscard]] bool is_due(MonoTime now) const noexcept { return now < until_; }

  void moved(std::size_t bytes) noexcept { moved_ += bytes; }
  /// The round that began at `round` is over and the loop is about to wait. After a bite of bulk
  /// the CPU goes to whoever waits for it: the application that a message was just sent to may need
  /// this very core, and unasked the kernel lets it wait until the next tick of its clock (up to 4
  /// ms).
  void end_round(MonoTime round) noexcept {
    if (moved_ < kBite || !is_due(round)) return;
    moved_ = 0;
    const MonoTime left = Clock::now();
    if (left < stays_until_) return;
    ::sched_yield();
    const MonoTime back = Clock::now();
    // It was taken by somebody who computes without end, and every time he would keep it that long.
    if (back - left > kLongAway) stays_until_ = back + kStay;
  }

 private:
  // Requests that come every now and then find the loop prepared.
  static constexpr auto kMemory = std::chrono::milliseconds(500);
  // Who serves messages gives the core back sooner.
  static constexpr auto kLongAway = std::chrono::milliseconds(1);
  // So that at most one yield in it is in vain: a few hundredths of the time.
  static constexpr auto kStay = std::chrono::milliseconds(100);
  // Some 50 us of work, where yielding costs half a microsecond if nobody waits.
  static constexpr std::size_t kBite = std::size_t{64} * 1024;

  MonoTime until_{};
  MonoTime stays_until_{};
  std::size_t moved_ = 0;
};

}  // namespace aquifer::io
