#include "common/coro/scope.h"

#include <utility>

namespace aquifer::coro {

// The root of a spawned task: destroys itself at its end, which is the only place where a frame
// does that.
struct Scope::Root {
  struct promise_type {
    static void* operator new(std::size_t bytes) { return frame_allocate(bytes); }
    static void operator delete(void* block, std::size_t bytes) noexcept {
      frame_free(block, bytes);
    }
    [[nodiscard]] Root get_return_object() const noexcept { return {}; }
    [[nodiscard]] std::suspend_never initial_suspend() const noexcept { return {}; }
    [[nodiscard]] std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    [[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }
  };
};

Scope::Root Scope::run(Scope& scope, Task<void> task) {
  {
    // Its arguments die with its frame, and still belong to the running task.
    Task<void> owned = std::move(task);
    co_await std::move(owned);
  }
  scope.one_ended();
}

void Scope::spawn(Task<void> task) {
  ++running_;
  // The task starts on behalf of whoever spawns it, and may name another.
  const KeepShare keep(ReadyQueue::current().meter());
  run(*this, std::move(task));
}

Task<void> Scope::join() {
  while (running_ > 0) {
    // Joining cannot be cancelled: the tasks are asked to end instead.
    auto woken = co_await idle_.wait();
    AQUIFER_ASSERT(woken.has_value());
  }
}

}  // namespace aquifer::coro
