#include "common/io/operation.h"

#include "common/io/loop.h"

#include <cerrno>

namespace aquifer::io {

bool Operation::await_ready() noexcept {
  if (cancel_ != nullptr && cancel_->cancelled()) {
    ended_by_ = Errc::cancelled;
    result_ = -ECANCELED;
    return true;
  }
  if (!loop_.spend_inline_budget()) return false;
  return loop_.backend().try_now(*this, result_);
}

void Operation::await_suspend(std::coroutine_handle<> self) noexcept {
  self_ = self;
  share_ = loop_.ready().meter().current();
  started_ = true;
  Timer::arm(loop_.timers(), deadline_);
  if (cancel_ != nullptr) cancel_->add(*this);
  loop_.backend().start(*this);
}

void Operation::complete(int result) noexcept {
  AQUIFER_DEBUG_ASSERT(started_);
  started_ = false;
  result_ = result;
  Timer::disarm();
  CancelHook::unlink();
  loop_.ready().push(self_, share_);
}

void Operation::on_cancel(coro::CancelHook& hook) noexcept {
  static_cast<Operation&>(hook).end(Errc::cancelled);
}

void Operation::on_deadline(Timer& timer) noexcept {
  static_cast<Operation&>(timer).end(Errc::timed_out);
}

void Operation::end(Errc reason) noexcept {
  if (!started_ || ending()) return;
  ended_by_ = reason;
  loop_.backend().cancel(*this);
}

Status Operation::outcome(const char* what) const noexcept {
  if (result_ >= 0) return {};
  // -EINTR: the kernel was in the middle of it when it was asked to end.
  const bool given_up = result_ == -ECANCELED || result_ == -EINTR;
  if (given_up && ending()) return fail(ended_by_, what);
  return std::unexpected(error_from_errno(-result_, what));
}

}  // namespace aquifer::io
