// Operation: one thing asked of the kernel, living in the frame of the coroutine that awaits it.
// The backend completes it once; a deadline or a cancellation asks the backend to end it, and it
// still completes exactly once.
#pragma once

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/coro/cancel.h"
#include "common/io/buffer.h"
#include "common/io/timer.h"

#include <coroutine>
#include <cstdint>

namespace aquifer::io {

class Loop;
struct Channel;

/// What a backend is asked to do.
enum class OperationKind : std::uint8_t { recv, writable, readable, connect };

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

  // Arguments and results of the kinds, owned by the operation as long as the kernel may look at
  // them.
  std::uint32_t bytes_max = 0;    ///< recv: at most this many
  Buffer buffer;                  ///< recv: what came
  const void* address = nullptr;  ///< connect: sockaddr
  std::uint32_t address_length = 0;

 protected:
  ~Operation() = default;
  /// The kernel's answer or why it was ended.
  [[nodiscard]] Status outcome(const char* what) const noexcept;
  [[nodiscard]] int result() const noexcept { return result_; }

 private:
  static void on_cancel(coro::CancelHook& hook) noexcept;
  static void on_deadline(Timer& timer) noexcept;
  void end(Errc reason) noexcept;

  Loop& loop_;
  Channel& channel_;
  coro::CancelSource* cancel_;
  Deadline deadline_;
  std::coroutine_handle<> self_;
  int result_ = 0;
  OperationKind kind_;
  bool started_ = false;
  Errc ended_by_ = Errc::internal;  // cancelled or timed_out once asked to end
};

}  // namespace aquifer::io
