// Operation: one thing asked of the kernel, living in the frame of the coroutine that awaits it
// (Awaited), or in the object that is told (Told). The backend completes it once; a deadline or a
// cancellation asks the backend to end it, and it still completes exactly once.
#pragma once

#include "common/base/assert.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "common/coro/cancel.h"
#include "common/coro/wakeup.h"
#include "common/coro/work_meter.h"
#include "common/io/buffer.h"
#include "common/io/timer.h"

#include <cerrno>
#include <coroutine>
#include <cstdint>
#include <utility>

namespace aquifer::io {

class Loop;
struct Channel;

/// What a backend is asked to do.
enum class OperationKind : std::uint8_t { recv, writable, readable, hangup, connect };

class Operation {
 public:
  using Completed = void (*)(Operation&) noexcept;

  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;

  /// For the backend: the kernel's answer (>= 0, or a negative errno).
  void complete(int result) noexcept {
    AQUIFER_DEBUG_ASSERT(started_);
    started_ = false;
    result_ = result;
    completed_(*this);
  }

  [[nodiscard]] OperationKind kind() const noexcept { return kind_; }
  [[nodiscard]] Channel& channel() const noexcept { return channel_; }
  /// For the backend: it was asked to end, so it must not be started over.
  [[nodiscard]] bool ending() const noexcept { return ended_by_ != Errc::internal; }

 protected:
  /// `completed` is called by each complete(): it only marks and enqueues.
  Operation(OperationKind kind, Channel& channel, Completed completed) noexcept
      : channel_(channel), completed_(completed), kind_(kind) {}
  // The kernel or the ready queue would still know it.
  ~Operation() { AQUIFER_ASSERT(!started_); }

  /// Completes it at once, where that is possible: then `completed` is not called.
  [[nodiscard]] bool try_now(Loop& loop) noexcept;
  /// Asks the backend; `completed` may be called before this returns.
  void start(Loop& loop) noexcept;
  /// It completes soon, as it would have or given up for `reason`.
  void end(Loop& loop, Errc reason) noexcept;
  /// It is over without having been started.
  void give_up(Errc reason) noexcept {
    ended_by_ = reason;
    result_ = -ECANCELED;
  }
  /// As new, so that it may be used again.
  void renew(OperationKind kind) noexcept {
    AQUIFER_ASSERT(!started_);
    kind_ = kind;
    ended_by_ = Errc::internal;
    backend_mark = false;
  }

  [[nodiscard]] bool started() const noexcept { return started_; }
  /// True exactly when it completed because it was asked to end. -EINTR: the kernel was in the
  /// middle of it.
  [[nodiscard]] bool given_up() const noexcept {
    return ending() && (result_ == -ECANCELED || result_ == -EINTR);
  }
  /// The kernel's answer or why it was ended.
  [[nodiscard]] Status outcome(const char* what) const noexcept;
  [[nodiscard]] int result() const noexcept { return result_; }

 private:
  friend class OperationWait;

  // Waiting operations are what an idle connection consists of: the order leaves no holes.
  Channel& channel_;
  Completed completed_;
  int result_ = 0;
  Errc ended_by_ = Errc::internal;  // cancelled or timed_out once asked to end
  OperationKind kind_;
  bool started_ = false;

 public:
  // A note of the backend, which no one else reads.
  // io_uring, recv: no buffer was free, so the kernel was asked for readiness instead; hangup:
  // seen, the poll's last completion is to come. epoll: an attempt at once was just in vain.
  bool backend_mark = false;
};

/// A receive with what came of it.
class ReceiveOperation : public Operation {
 public:
  std::uint32_t bytes_max;  ///< at least 1
  Buffer buffer;

 protected:
  ReceiveOperation(Channel& channel, std::uint32_t max, Completed completed) noexcept
      : Operation(OperationKind::recv, channel, completed), bytes_max(max) {
    AQUIFER_ASSERT(max > 0);  // the answer would look like the end of the stream
  }
  ~ReceiveOperation() = default;
};

/// A connect; the address stays where it is until the operation has completed.
class ConnectOperation : public Operation {
 public:
  const void* address;  ///< sockaddr
  std::uint32_t address_length;

 protected:
  ConnectOperation(Channel& channel, const void* to, std::uint32_t to_length,
                   Completed completed) noexcept
      : Operation(OperationKind::connect, channel, completed),
        address(to),
        address_length(to_length) {}
  ~ConnectOperation() = default;
};

/// The coroutine's side of an operation that it awaits: who goes on, and what may end it early.
class OperationWait : coro::CancelHook, Timer {
 public:
  OperationWait(Loop& loop, Operation& operation, Deadline deadline,
                coro::CancelSource* cancel) noexcept
      : CancelHook(&OperationWait::on_cancel),
        Timer(&OperationWait::on_deadline),
        loop_(loop),
        operation_(operation),
        cancel_(cancel),
        deadline_(deadline) {}

  [[nodiscard]] bool ready() noexcept;
  void suspend(std::coroutine_handle<> self) noexcept;
  /// It has completed: resumes through the ready queue.
  void finish() noexcept;

 private:
  static void on_cancel(coro::CancelHook& hook) noexcept;
  static void on_deadline(Timer& timer) noexcept;

  Loop& loop_;
  Operation& operation_;
  coro::CancelSource* cancel_;
  Deadline deadline_;
  std::coroutine_handle<> self_;
  coro::WorkShare* share_ = nullptr;  // for whom the waiting coroutine works
};

/// An operation to be awaited, living in the frame of the coroutine that does.
template <typename Base>
class Awaited : public Base {
 public:
  // The awaitable: true when it completed without waiting.
  [[nodiscard]] bool await_ready() noexcept { return wait_.ready(); }
  void await_suspend(std::coroutine_handle<> self) noexcept { wait_.suspend(self); }

 protected:
  /// `what` is what Base is made of, besides whom it tells.
  template <typename... What>
  Awaited(Loop& loop, Deadline deadline, coro::CancelSource* cancel, What&&... what) noexcept
      : Base(std::forward<What>(what)..., &Awaited::on_completed),
        wait_(loop, *this, deadline, cancel) {}
  ~Awaited() = default;

 private:
  static void on_completed(Operation& operation) noexcept {
    static_cast<Awaited&>(operation).wait_.finish();
  }
  OperationWait wait_;
};

/// An operation that is begun again and again, and wakes somebody who is no coroutine.
template <typename Base>
class Told : public Base {
 public:
  /// `what` is what Base is made of, besides whom it tells.
  template <typename... What>
  explicit Told(What&&... what) noexcept : Base(std::forward<What>(what)..., &Told::on_completed) {}
  ~Told() = default;

  /// True when it completed at once; else `wakeup` is called once when it has. If it is under way
  /// already, `wakeup` is called instead of the one before.
  [[nodiscard]] bool begin(Loop& loop, OperationKind kind, coro::Wakeup& wakeup) noexcept {
    if (this->started()) {
      AQUIFER_ASSERT(kind == this->kind());
      wakeup_ = &wakeup;
      return false;
    }
    this->renew(kind);
    if (this->try_now(loop)) return true;
    wakeup_ = &wakeup;
    this->start(loop);
    return false;
  }
  /// Has it completed after begin() said false? Once for each time; not if it only gave up.
  [[nodiscard]] bool take_completed() noexcept {
    return std::exchange(completed_, false) && !this->given_up();
  }
  void cancel(Loop& loop) noexcept { this->end(loop, Errc::cancelled); }
  using Base::outcome;

 private:
  static void on_completed(Operation& operation) noexcept {
    auto& self = static_cast<Told&>(operation);
    self.completed_ = true;
    self.wakeup_->wake();
  }
  coro::Wakeup* wakeup_ = nullptr;
  bool completed_ = false;
};

}  // namespace aquifer::io
