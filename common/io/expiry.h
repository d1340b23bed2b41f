// A cancellation that also comes by itself, at a deadline: for whatever knows how to be cancelled
// and has no deadline of its own.
#pragma once

#include "common/coro/cancel.h"
#include "common/coro/task.h"
#include "common/io/byte_stream.h"
#include "common/io/loop.h"
#include "common/io/timer.h"

namespace aquifer::io {

/// While it lives, `source()` is cancelled at the deadline, or with `outer` (may be null).
class Expiry : coro::CancelHook, Timer {
 public:
  Expiry(Loop& loop, Deadline deadline, coro::CancelSource* outer)
      : CancelHook(&Expiry::on_cancel), Timer(&Expiry::on_deadline) {
    if (outer != nullptr && outer->cancelled()) {
      source_.cancel();
      return;
    }
    if (outer != nullptr) outer->add(*this);
    if (!deadline.is_never()) arm(loop.timers(), deadline);
  }

  [[nodiscard]] coro::CancelSource* source() noexcept { return &source_; }
  /// It was the deadline.
  [[nodiscard]] bool expired() const noexcept { return expired_; }
  /// `error`, or that the time is up when that is why it came.
  [[nodiscard]] Error why(Error error) const noexcept {
    if (error.code != Errc::cancelled || !expired_) return error;
    return Error(Errc::timed_out, error.source, error.context);
  }

 private:
  static void on_cancel(coro::CancelHook& hook) noexcept {
    static_cast<Expiry&>(hook).source_.cancel();
  }
  static void on_deadline(Timer& timer) noexcept {
    auto& self = static_cast<Expiry&>(timer);
    self.expired_ = true;
    self.source_.cancel();
  }
  coro::CancelSource source_;
  bool expired_ = false;
};

/// stream.read() with a deadline: Errc::timed_out.
[[nodiscard]] inline coro::Task<Result<Buffer>> read_before(Loop& loop, ByteStream& stream,
                                                            std::size_t bytes_max,
                                                            Deadline deadline,
                                                            coro::CancelSource* cancel) {
  Expiry expiry(loop, deadline, cancel);
  auto bytes = co_await stream.read(bytes_max, expiry.source());
  if (!bytes) co_return std::unexpected(expiry.why(bytes.error()));
  co_return std::move(*bytes);
}

}  // namespace aquifer::io
