// A thread without a loop: whatever is ready runs until nothing is.
#pragma once

#include "common/coro/ready_queue.h"
#include "common/coro/scope.h"

namespace aquifer::coro {

class Drain {
 public:
  Drain() { ReadyQueue::set_current(&queue_); }
  ~Drain() { ReadyQueue::set_current(nullptr); }
  Drain(const Drain&) = delete;
  Drain& operator=(const Drain&) = delete;

  void run() {
    while (!queue_.empty()) queue_.run_once();
  }
  void round() { queue_.run_once(); }
  [[nodiscard]] bool idle() const { return queue_.empty(); }

 private:
  ReadyQueue queue_;
};

/// Suspends once; everybody else that is ready runs first.
struct Pause {
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> self) const {
    ReadyQueue::current().push(self, nullptr);
  }
  void await_resume() const noexcept {}
};

}  // namespace aquifer::coro
