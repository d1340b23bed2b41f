#include "common/io/operation.h"

#include "common/io/loop.h"

namespace aquifer::io {

bool Operation::try_now(Loop& loop) noexcept {
  if (!loop.spend_inline_budget()) return false;
  return loop.backend().try_now(*this, result_);
}

void Operation::start(Loop& loop) noexcept {
  started_ = true;
  loop.backend().start(*this);
}

void Operation::end(Loop& loop, Errc reason) noexcept {
  if (!started_ || ending()) return;
  ended_by_ = reason;
  loop.backend().cancel(*this);
}

Status Operation::outcome(const char* what) const noexcept {
  if (result_ >= 0) return {};
  if (given_up()) return fail(ended_by_, what);
  return std::unexpected(error_from_errno(-result_, what));
}

bool OperationWait::ready() noexcept {
  if (cancel_ != nullptr && cancel_->cancelled()) {
    operation_.give_up(Errc::cancelled);
    return true;
  }
  return operation_.try_now(loop_);
}

void OperationWait::suspend(std::coroutine_handle<> self) noexcept {
  self_ = self;
  share_ = loop_.ready().meter().current();
  Timer::arm(loop_.timers(), deadline_);
  if (cancel_ != nullptr) cancel_->add(*this);
  operation_.start(loop_);
}

void OperationWait::finish() noexcept {
  Timer::disarm();
  CancelHook::unlink();
  loop_.ready().push(self_, share_);
}

void OperationWait::on_cancel(coro::CancelHook& hook) noexcept {
  auto& wait = static_cast<OperationWait&>(hook);
  wait.operation_.end(wait.loop_, Errc::cancelled);
}

void OperationWait::on_deadline(Timer& timer) noexcept {
  auto& wait = static_cast<OperationWait&>(timer);
  wait.operation_.end(wait.loop_, Errc::timed_out);
}

}  // namespace aquifer::io
