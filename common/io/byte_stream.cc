// A coroutine's way to wait for a stream.
#include "common/io/byte_stream.h"

#include "common/coro/ready_queue.h"

#include <coroutine>

namespace aquifer::io {
namespace {

enum class Side : std::uint8_t { read, write };

/// One wait: given to a poll function, then awaited if that had nothing.
class StreamWait : public coro::Wakeup, coro::CancelHook {
 public:
  StreamWait(ByteStream& stream, Side side, coro::CancelSource* cancel) noexcept
      : Wakeup(&StreamWait::on_wake),
        CancelHook(&StreamWait::on_cancel),
        stream_(stream),
        cancel_(cancel),
        side_(side) {}

  [[nodiscard]] bool await_ready() const noexcept { return woken_; }
  void await_suspend(std::coroutine_handle<> self) noexcept {
    self_ = self;
    share_ = coro::ReadyQueue::current().meter().current();
    if (cancel_ != nullptr) cancel_->add(*this);
  }
  [[nodiscard]] Status await_resume() const noexcept {
    if (cancelled_) return fail(Errc::cancelled, "waiting");
    return {};
  }

 private:
  static void on_wake(coro::Wakeup& wakeup) noexcept {
    auto& wait = static_cast<StreamWait&>(wakeup);
    wait.woken_ = true;
    if (!wait.self_) return;  // the poll has not returned yet
    wait.unlink();
    coro::ReadyQueue::current().push(wait.self_, wait.share_);
  }
  static void on_cancel(coro::CancelHook& hook) noexcept {
    auto& wait = static_cast<StreamWait&>(hook);
    wait.cancelled_ = true;
    wait.side_ == Side::read ? wait.stream_.end_read_wait() : wait.stream_.end_write_wait();
  }

  ByteStream& stream_;
  coro::CancelSource* cancel_;
  std::coroutine_handle<> self_;
  coro::WorkShare* share_ = nullptr;
  Side side_;
  bool woken_ = false;
  bool cancelled_ = false;
};

bool is_cancelled(const coro::CancelSource* cancel) noexcept {
  return cancel != nullptr && cancel->cancelled();
}

}  // namespace

coro::Task<Result<std::size_t>> ByteStream::writable(coro::CancelSource* cancel) {
  for (;;) {
    if (is_cancelled(cancel)) co_return fail(Errc::cancelled, "waiting to write");
    StreamWait wait(*this, Side::write, cancel);
    const Result<std::size_t> allowance = poll_writable(wait);
    if (!allowance || *allowance > 0) co_return allowance;
    const Status woken = co_await wait;
    if (!woken) co_return std::unexpected(woken.error());
  }
}

coro::Task<Result<Buffer>> ByteStream::read(std::size_t bytes_max, coro::CancelSource* cancel) {
  for (;;) {
    if (is_cancelled(cancel)) co_return fail(Errc::cancelled, "waiting to read");
    StreamWait wait(*this, Side::read, cancel);
    Result<std::optional<Buffer>> chunk = poll_read(bytes_max, wait);
    if (!chunk) co_return std::unexpected(chunk.error());
    if (chunk->has_value()) co_return std::move(**chunk);
    const Status woken = co_await wait;
    if (!woken) co_return std::unexpected(woken.error());
  }
}

coro::Task<Error> ByteStream::failure(coro::CancelSource* cancel) {
  for (;;) {
    if (is_cancelled(cancel)) co_return Error(Errc::cancelled, "waiting for the end");
    StreamWait wait(*this, Side::read, cancel);
    const std::optional<Error> failure = poll_failure(wait);
    if (failure) co_return *failure;
    const Status woken = co_await wait;
    if (!woken) co_return woken.error();
  }
}

}  // namespace aquifer::io
