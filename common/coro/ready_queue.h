// Who runs next on this thread. Everything that wakes a coroutine goes through here, so nothing is
// ever resumed from inside a callback or from inside another coroutine's statement.
#pragma once

#include "common/coro/work_meter.h"

#include <coroutine>
#include <vector>

namespace aquifer::coro {

/// FIFO of coroutines that may go on, each with whom it works for. One per loop thread.
class ReadyQueue {
 public:
  void push(std::coroutine_handle<> handle, WorkShare* share) { next_.push_back({handle, share}); }
  [[nodiscard]] bool empty() const noexcept { return next_.empty(); }

  /// Resumes what was ready when it was called; what becomes ready meanwhile waits for the next
  /// round, so that completions and timers get their turn.
  void run_once();

  [[nodiscard]] WorkMeter& meter() noexcept { return meter_; }

  /// The queue of the loop that runs on this thread; asserts that there is one.
  [[nodiscard]] static ReadyQueue& current() noexcept;
  static void set_current(ReadyQueue* queue) noexcept;

 private:
  struct Entry {
    std::coroutine_handle<> handle;
    WorkShare* share;
  };
  std::vector<Entry> next_;
  std::vector<Entry> running_;
  WorkMeter meter_;
};

}  // namespace aquifer::coro
