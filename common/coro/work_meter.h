// Whose work a thread does: its CPU time, told apart by those it was spent for.
//
// Method. A continuation belongs to the share that was current when it began to wait (or to the one
// that it names itself), so the thread knows at each moment for whom it works. The time stamp
// counter is read once per continuation, about 8 ns, and its ticks are added to that share. Ticks
// are wall time and say nothing of the kernel's work between continuations, so they only serve as
// proportions: every 100 ms the thread's CPU clock is read, and what was used since is divided by
// the ticks of that interval. Hence the shares and what is nobody's add up to the thread's CPU time
// exactly.
//
// Error. What the thread does besides continuations (waiting calls, in which the kernel also
// receives, and timers) is divided like the rest: by how long each share's continuations ran. While
// the scheduler runs others, ticks go on: a continuation that seems long is therefore held against
// the CPU clock and counts with no more than that allows, so an interruption costs its share at
// most what the thread did between continuations in that interval. A share that did not run is
// charged nothing.
#pragma once

#include <chrono>
#include <cstdint>

namespace aquifer::coro {

class WorkMeter;

/// Somebody for whom work is done. Lives on one thread; outlives the continuations that belong to
/// it.
class WorkShare {
 public:
  /// Told after each division in which this share had a part.
  using Settled = void (*)(WorkShare&) noexcept;

  explicit WorkShare(Settled settled = nullptr) noexcept : settled_(settled) {}
  WorkShare(const WorkShare&) = delete;
  WorkShare& operator=(const WorkShare&) = delete;
  ~WorkShare() { leave(); }

  /// Takes what is its due and its leave: nothing is charged any more. For the destructor of
  /// whoever `settled` tells.
  void leave() noexcept;
  [[nodiscard]] std::chrono::nanoseconds cpu() const noexcept { return cpu_; }

 private:
  friend class WorkMeter;
  Settled settled_;
  WorkMeter* meter_ = nullptr;  // the one that still knows it
  WorkShare* next_ = nullptr;   // of those with ticks
  std::uint64_t ticks_ = 0;     // since the last division
  std::chrono::nanoseconds cpu_{0};
};

/// One per loop, on the loop's thread.
class WorkMeter {
 public:
  WorkMeter() noexcept;
  ~WorkMeter() { settle(); }
  WorkMeter(const WorkMeter&) = delete;
  WorkMeter& operator=(const WorkMeter&) = delete;

  /// For whom the running continuation works; null is nobody.
  [[nodiscard]] WorkShare* current() const noexcept { return current_; }
  void work_for(WorkShare* share) noexcept {
    current_ = share;
    if (share != nullptr) share->meter_ = this;
  }

  /// Continuations are about to run.
  void begin() noexcept { last_ = ticks_now(); }
  /// One has run: what it took is the current share's.
  void lap() noexcept;

  /// Is there something to divide?
  [[nodiscard]] bool pending() const noexcept { return total_ticks_ != 0; }
  /// Divides the CPU time since the last division.
  void settle() noexcept;

  /// Up to the last division: of the thread, and the part of it that was nobody's.
  [[nodiscard]] std::chrono::nanoseconds thread_cpu() const noexcept { return settled_cpu_; }
  [[nodiscard]] std::chrono::nanoseconds nobodys_cpu() const noexcept { return nobodys_cpu_; }

  /// How often a loop should settle: often enough for a scrape, and seldom enough (0.4 us each) to
  /// cost nothing.
  static constexpr std::chrono::milliseconds kInterval{100};

 private:
  friend class WorkShare;
  [[nodiscard]] static std::uint64_t ticks_now() noexcept;
  [[nodiscard]] std::uint64_t without_interruptions(std::uint64_t ticks) const noexcept;
  void forget(WorkShare& share) noexcept;

  WorkShare* current_ = nullptr;
  WorkShare* worked_ = nullptr;  // those with ticks
  std::uint64_t last_ = 0;
  std::uint64_t total_ticks_ = 0;  // nobody's included
  // The beginning, by which ticks are known in nanoseconds.
  std::uint64_t first_ticks_;
  std::chrono::steady_clock::time_point first_time_;
  std::chrono::nanoseconds settled_cpu_;
  std::chrono::nanoseconds nobodys_cpu_{0};
};

/// Keeps the current share while something is started that may work for another.
class KeepShare {
 public:
  explicit KeepShare(WorkMeter& meter) noexcept : meter_(meter), share_(meter.current()) {}
  KeepShare(const KeepShare&) = delete;
  KeepShare& operator=(const KeepShare&) = delete;
  ~KeepShare() { meter_.work_for(share_); }

 private:
  WorkMeter& meter_;
  WorkShare* share_;
};

}  // namespace aquifer::coro
