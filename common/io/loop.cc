#include "common/io/loop.h"

#include "common/base/assert.h"
#include "common/coro/frame_pool.h"
#include "common/io/readiness.h"

#include <malloc.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>

namespace aquifer::io {
namespace {

thread_local Loop* current_loop = nullptr;

// Operations that may complete without suspending in one round of the loop: enough that short
// requests never wait, and little enough (about 100 us of work) that a bulk stream cannot hold the
// loop.
constexpr int kInlineBudget = 64;
// Messages waiting for one loop. The control thread posts a handful per change; this many means it
// stopped running.
constexpr std::size_t kMailboxMax = 1'000'000;
// A loop that rests gives back what receive buffers and frames it touched, at most so often: pages
// that are touched again cost 0.1 ms a second at the very most.
constexpr auto kTrimInterval = std::chrono::seconds(1);

}  // namespace

std::string_view name_of(BackendKind kind) noexcept {
  return kind == BackendKind::uring ? "uring" : "epoll";
}

Result<std::unique_ptr<Loop>> Loop::create(BackendChoice choice) {
  std::optional<Error> fallback;
  std::unique_ptr<Backend> backend;
  if (choice != BackendChoice::epoll) {
    auto made = make_uring_backend();
    if (made) {
      backend = std::move(*made);
    } else if (choice == BackendChoice::uring) {
      return std::unexpected(made.error());
    } else {
      fallback = made.error();
    }
  }
  if (backend == nullptr) {
    TRY(backend, make_epoll_backend());
  }
  Fd wake(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!wake) return std::unexpected(error_from_errno(errno, "eventfd for the mailbox"));
  auto loop = std::unique_ptr<Loop>(new Loop(std::move(backend), std::move(wake)));
  loop->fallback_reason_ = fallback;
  return loop;
}

Loop::Loop(std::unique_ptr<Backend> backend, Fd wake)
    : backend_(std::move(backend)),
      now_(Clock::now()),
      last_trim_(now_),
      last_settle_(now_),
      wake_(std::move(wake)) {
  AQUIFER_ASSERT(current_loop == nullptr);
  current_loop = this;
  coro::ReadyQueue::set_current(&ready_);
  wake_channel_.fd = wake_.get();
  thread_cpu_ns_.store(ready_.meter().thread_cpu().count(), std::memory_order_relaxed);
}

Loop::~Loop() {
  AQUIFER_ASSERT(current_loop == this);
  current_loop = nullptr;
  coro::ReadyQueue::set_current(nullptr);
}

Loop& Loop::current() noexcept {
  AQUIFER_ASSERT(current_loop != nullptr);
  return *current_loop;
}

bool Loop::spend_inline_budget() noexcept {
  if (inline_budget_ == 0) return false;
  --inline_budget_;
  return true;
}

void Loop::run(coro::Task<void> main) {
  done_ = false;
  coro::Scope root;
  root.spawn(supervise(*this, std::move(main)));
  while (!done_) round();
  AQUIFER_ASSERT(root.running() == 0);
}

coro::Task<void> Loop::supervise(Loop& loop, coro::Task<void> main) {
  coro::Scope internal;
  internal.spawn(serve_mailbox(loop, internal.cancel_source()));
  co_await std::move(main);
  internal.cancel();
  co_await internal.join();
  loop.backend_->forget(loop.wake_channel_);
  loop.done_ = true;
}

void Loop::round() {
  inline_budget_ = kInlineBudget;
  ready_.run_once();
  // Waiting now would be waiting for nobody.
  if (done_) return;
  courtesy_.end_round(now_);
  const MonoTime until = ready_.empty() ? timers_.next() : MonoTime::min();
  MonoTime wait_until = until;
  if (until > now_ && now_ - last_trim_ > kTrimInterval) {
    last_trim_ = now_;
    backend_->trim();
    coro::frame_pool_trim();
  } else {
    // What was touched since the last time is not kept through a long rest. After a trim there is
    // nothing to come back for.
    wait_until = std::min(wait_until, last_trim_ + 2 * kTrimInterval);
  }
  // What was worked before a rest is settled soon, not when the rest ends.
  if (unsettled()) wait_until = std::min(wait_until, last_settle_ + coro::WorkMeter::kInterval);
  backend_->show_courtesy(courtesy_.is_due(now_));
  backend_->wait(wait_until, now_);
  now_ = Clock::now();
  operations_completed_.store(backend_->counters().completed, std::memory_order_relaxed);
  timers_.expire(now_);
  if (unsettled() && now_ - last_settle_ >= coro::WorkMeter::kInterval) settle_work();
}

bool Loop::unsettled() noexcept {
  // A thread that has come to rest is looked at once more, to know that it rests.
  return ready_.meter().pending() || cpu_permille() != 0;
}

void Loop::settle_work() {
  coro::WorkMeter& meter = ready_.meter();
  meter.settle();
  const std::chrono::nanoseconds used = meter.thread_cpu() - thread_cpu();
  const Duration took = std::max<Duration>(now_ - last_settle_, coro::WorkMeter::kInterval);
  const auto permille = std::clamp<std::int64_t>(used * 1000 / took, 0, 1000);
  cpu_permille_.store(static_cast<std::uint32_t>(permille), std::memory_order_relaxed);
  last_settle_ = now_;
  thread_cpu_ns_.store(meter.thread_cpu().count(), std::memory_order_relaxed);
  nobodys_cpu_ns_.store(meter.nobodys_cpu().count(), std::memory_order_relaxed);
}

void Loop::post(Message message) {
  {
    const std::lock_guard lock(mailbox_mutex_);
    AQUIFER_ASSERT(mailbox_.size() < kMailboxMax);
    mailbox_.push_back(std::move(message));
  }
  if (mailbox_signalled_.exchange(true)) return;
  const std::uint64_t one = 1;
  // A full eventfd counter is a signal that was not read yet: nothing is lost.
  [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
}

coro::Task<void> Loop::serve_mailbox(Loop& loop, coro::CancelSource& stop) {
  for (;;) {
    Readable wait(loop, loop.wake_channel_, Deadline::never(), &stop);
    const Status woken = co_await wait;
    if (!woken) co_return;
    std::uint64_t count = 0;
    [[maybe_unused]] const auto got = ::read(loop.wake_.get(), &count, sizeof count);
    loop.mailbox_signalled_.store(false);
    loop.deliver_messages();
  }
}

void Loop::deliver_messages() {
  std::vector<Message> messages;
  {
    const std::lock_guard lock(mailbox_mutex_);
    messages.swap(mailbox_);
  }
  for (Message& message : messages) message();
}

namespace {

struct DeadlineNotifier : Timer {
  explicit DeadlineNotifier(coro::Event& e) noexcept : Timer(&DeadlineNotifier::fire), event(e) {}
  static void fire(Timer& timer) noexcept {
    auto& self = static_cast<DeadlineNotifier&>(timer);
    // Without a waiter the event came first in this round: that is no timeout.
    if (!self.event.has_waiter()) return;
    self.fired = true;
    self.event.notify();
  }
  coro::Event& event;
  bool fired = false;
};

}  // namespace

coro::Task<Status> wait_event(Loop& loop, coro::Event& event, Deadline deadline,
                              coro::CancelSource* cancel) {
  DeadlineNotifier notifier(event);
  notifier.arm(loop.timers(), deadline);
  Status woken = co_await event.wait(cancel);
  if (woken && notifier.fired) co_return fail(Errc::timed_out, "waiting");
  co_return woken;
}

coro::Task<Status> sleep_until(Loop& loop, Deadline deadline, coro::CancelSource* cancel) {
  coro::Event never_notified;
  const Status woken = co_await wait_event(loop, never_notified, deadline, cancel);
  if (!woken && woken.error().code == Errc::timed_out) co_return Status{};
  co_return woken;
}

}  // namespace aquifer::io
