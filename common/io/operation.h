// Operation: one thing asked of the kernel, living in the frame of the coroutine that awaits it.
// The backend completes it once; a deadline or a cancellation asks the backend to end it, and it
// still completes exactly once.
#pragma once

#include "common/base/assert.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "common/coro/cancel.h"
#include "common/coro/work_meter.h"
#include "common/io/buffer.h"
#include "common/io/timer.h"

#include <coroutine>
#include <cstdint>

namespace aquifer::io {

class Loop;
struct Channel;

/// What a backend is asked to do.
enum class OperationKind : std::uint8_t { recv, writable, readable, hangup, connect };

class Operation : coro::CancelHook, Timer {
 public:
  Operation(Loop& loop, OperationKind kind, Channel& channel, Deadline deadline,
            coro::CancelSource* cancel) noexcept
      : CancelHook(&Operation::on_cancel),
        Timer(&Operation::on_deadline),
        loop_(loop),
        channel_(channel),
        cancel_(cancel),
        deadline_(deadline),
        kind_(kind) {}
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;

  // The awaitable: true when it completed without waiting.
  [[nodiscard]] bool await_ready() noexcept;
  void await_suspend(std::coroutine_handle<> self) noexcept;

  /// For the backend: the kernel's answer (>= 0, or a negative errno). Resumes through the ready
  /// queue.
  void complete(int result) noexcept;

  [[nodiscard]] OperationKind kind() const noexcept { return kind_; }
  [[nodiscard]] Channel& channel() const noexcept { return channel_; }
  /// For the backend: it was asked to end, so it must not be started over.
  [[nodiscard]] bool ending() const noexcept { return ended_by_ != Errc::internal; }

 protected:
  // The kernel or the ready queue would still know it.
  ~Operation() { AQUIFER_ASSERT(!started_); }
  /// The kernel's answer or why it was ended.
  [[nodiscard]] Status outcome(const char* what) const noexcept;
  [[nodiscard]] int result() const noexcept { return result_; }

 private:
  static void on_cancel(coro::CancelHook& hook) noexcept;
  static void on_deadline(Timer& timer) noexcept;
  void end(Errc reason) noexcept;

  // Waiting operations are what an idle connection consists of: the order leaves no holes.
  int result_ = 0;
  Loop& loop_;
  Channel& channel_;
  coro::CancelSource* cancel_;
  Deadline deadline_;
  std::coroutine_handle<> self_;
  coro::WorkShare* share_ = nullptr;  // for whom the waiting coroutine works
  Errc ended_by_ = Errc::internal;    // cancelled or timed_out once asked to end
  OperationKind kind_;
  bool started_ = false;

 public:
  // A note of the backend, which no one else reads.
  // io_uring, recv: no buffer was free, so the kernel was asked for readiness instead; hangup:
  // seen, the poll's last completion is to come. epoll: await_ready has just tried in vain.
  bool backend_mark = false;
};

/// A receive with what came of it.
class ReceiveOperation : public Operation {
 public:
  std::uint32_t bytes_max;  ///< at least 1
  Buffer buffer;

 protected:
  ReceiveOperation(Loop& loop, Channel& channel, std::uint32_t max, Deadline deadline,
                   coro::CancelSource* cancel) noexcept
      : Operation(loop, OperationKind::recv, channel, deadline, cancel), bytes_max(max) {
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
  ConnectOperation(Loop& loop, Channel& channel, const void* to, std::uint32_t to_length,
                   Deadline deadline, coro::CancelSource* cancel) noexcept
      : Operation(loop, OperationKind::connect, channel, deadline, cancel),
        address(to),
        address_length(to_length) {}
  ~ConnectOperation() = default;
};

}  // namespace aquifer::io
