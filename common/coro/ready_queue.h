// Who runs next on this thread. Everything that wakes a coroutine, or what goes on without one,
// goes through here, so nothing is ever resumed from inside a callback or from inside another
// coroutine's statement.
#pragma once

#include "common/coro/work_meter.h"

#include <coroutine>
#include <vector>

namespace aquifer::coro {

/// FIFO of those that may go on, each with whom it works for. One per loop thread.
class ReadyQueue {
 public:
  void push(std::coroutine_handle<> handle, WorkShare* share) {
    push(&ReadyQueue::resume, handle.address(), share);
  }
  /// `run(what)` is called once; `what` stays until then.
  using Run = void (*)(void* what) noexcept;
  void push(Run run, void* what, WorkShare* share) { next_.push_back({run, what, share}); }
  [[nodiscard]] bool empty() const noexcept { return next_.empty(); }

  /// Runs what was ready when it was called; what becomes ready meanwhile waits for the next
  /// round, so that completions and timers get their turn.
  void run_once();

  [[nodiscard]] WorkMeter& meter() noexcept { return meter_; }

  /// The queue of the loop that runs on this thread; asserts that there is one.
  [[nodiscard]] static ReadyQueue& current() noexcept;
  static void set_current(ReadyQueue* queue) noexcept;

 private:
  struct Entry {
    Run run;
    void* what;
    WorkShare* share;
  };
  static void resume(void* frame) noexcept {
    std::coroutine_handle<>::from_address(frame).resume();
  }
  std::vector<Entry> next_;
  std::vector<Entry> running_;
  WorkMeter meter_;
};

}  // namespace aquifer::coro
