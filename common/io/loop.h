// Loop: one thread's event loop. Runs coroutines, timers, the mailbox and a backend (io_uring or
// epoll).
#pragma once

#include "common/base/fd.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "common/coro/event.h"
#include "common/coro/ready_queue.h"
#include "common/coro/scope.h"
#include "common/coro/task.h"
#include "common/io/backend.h"
#include "common/io/courtesy.h"
#include "common/io/timer.h"

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace aquifer::io {

/// What AQUIFER_IO says; `automatic` is io_uring where it may be used, else epoll.
enum class BackendChoice : std::uint8_t { automatic, uring, epoll };

/// Values carried to a loop from another thread. Bounded: a loop that does not come round is a bug,
/// not a queue.
using Message = std::move_only_function<void()>;

class Loop {
 public:
  /// On the thread that will run it. With `automatic`, falls back to epoll; `fallback_reason()`
  /// says why.
  [[nodiscard]] static Result<std::unique_ptr<Loop>> create(BackendChoice choice);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// Runs `main` and everything it spawns until it has completed. The caller's thread is the loop's
  /// thread.
  void run(coro::Task<void> main);

  /// Runs `message` on the loop's thread, soon. From any thread; wakes the loop. Messages posted
  /// after the loop ended are dropped with the loop.
  void post(Message message);

  [[nodiscard]] MonoTime now() const noexcept { return now_; }
  [[nodiscard]] Deadline after(Duration duration) const noexcept {
    return Deadline(now_ + duration);
  }
  [[nodiscard]] BackendKind backend_kind() const noexcept { return backend_->kind(); }
  /// Empty unless `automatic` had to fall back.
  [[nodiscard]] const std::optional<Error>& fallback_reason() const noexcept {
    return fallback_reason_;
  }
  /// Safe from any thread: completed operations of the backend.
  [[nodiscard]] std::uint64_t operations_completed() const noexcept {
    return operations_completed_.load(std::memory_order_relaxed);
  }

  /// CPU time of the loop's thread, and the part of it that was spent for no share (work_meter.h).
  /// Safe from any thread; at most a little more than WorkMeter::kInterval old.
  [[nodiscard]] std::chrono::nanoseconds thread_cpu() const noexcept {
    return std::chrono::nanoseconds(thread_cpu_ns_.load(std::memory_order_relaxed));
  }
  [[nodiscard]] std::chrono::nanoseconds nobodys_cpu() const noexcept {
    return std::chrono::nanoseconds(nobodys_cpu_ns_.load(std::memory_order_relaxed));
  }

  /// How much of a core the thread uses, in thousandths: over the last WorkMeter::kInterval or
  /// longer, 0 at rest. Safe from any thread.
  [[nodiscard]] std::uint32_t cpu_permille() const noexcept {
    return cpu_permille_.load(std::memory_order_relaxed);
  }

  [[nodiscard]] TimerQueue& timers() noexcept { return timers_; }
  [[nodiscard]] coro::ReadyQueue& ready() noexcept { return ready_; }
  [[nodiscard]] Backend& backend() noexcept { return *backend_; }
  [[nodiscard]] Courtesy& courtesy() noexcept { return courtesy_; }

  /// May an operation complete without suspending? Bounded per round, so that one hot connection
  /// cannot keep the others waiting.
  [[nodiscard]] bool spend_inline_budget() noexcept;

  /// The loop that runs on this thread.
  [[nodiscard]] static Loop& current() noexcept;

 private:
  explicit Loop(std::unique_ptr<Backend> backend, Fd wake);
  static coro::Task<void> supervise(Loop& loop, coro::Task<void> main);
  static coro::Task<void> serve_mailbox(Loop& loop, coro::CancelSource& stop);
  void round();
  void deliver_messages();
  [[nodiscard]] bool unsettled() noexcept;
  void settle_work();

  std::unique_ptr<Backend> backend_;
  std::optional<Error> fallback_reason_;
  TimerQueue timers_;
  coro::ReadyQueue ready_;
  MonoTime now_;
  int inline_budget_ = 0;
  Courtesy courtesy_;
  bool done_ = false;
  MonoTime last_trim_;
  MonoTime last_settle_;
  std::atomic<std::uint64_t> operations_completed_{0};
  std::atomic<std::int64_t> thread_cpu_ns_{0};
  std::atomic<std::int64_t> nobodys_cpu_ns_{0};
  std::atomic<std::uint32_t> cpu_permille_{0};

  Fd wake_;
  Channel wake_channel_;
  std::mutex mailbox_mutex_;
  std::vector<Message> mailbox_;
  std::atomic<bool> mailbox_signalled_{false};
};

/// Completes at the deadline; Errc::cancelled when `cancel` asks before.
[[nodiscard]] coro::Task<Status> sleep_until(Loop& loop, Deadline deadline,
                                             coro::CancelSource* cancel = nullptr);

/// Waits for `event`; Errc::timed_out at the deadline. A caller re-checks its condition after any
/// success.
[[nodiscard]] coro::Task<Status> wait_event(Loop& loop, coro::Event& event, Deadline deadline,
                                            coro::CancelSource* cancel = nullptr);

/// Lets everybody else that is ready run first.
struct Yield {
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> self) const {
    coro::ReadyQueue& queue = coro::ReadyQueue::current();
    queue.push(self, queue.meter().current());
  }
  void await_resume() const noexcept {}
};
[[nodiscard]] inline Yield yield() noexcept {
  return {};
}

}  // namespace aquifer::io
