#include "common/io/listener.h"

#include "common/io/accept.h"

#include <utility>

namespace aquifer::io {
namespace {

// Out of descriptors: somebody has to close one first. Short enough that a client sees a delay, not
// a failure.
constexpr auto kPause = std::chrono::milliseconds(50);

}  // namespace

Listener::Listener(Loop& loop, Fd fd) : loop_(loop), fd_(std::move(fd)), resume_(*this) {
  handler_.channel.fd = fd_.get();
  handler_.context = this;
  handler_.on_accept = &Listener::on_accept;
  handler_.on_stopped = &Listener::on_stopped;
  armed_ = true;
  loop_.backend().start_accept(handler_);
}

Listener::~Listener() {
  AQUIFER_ASSERT(!armed_);
}

coro::Task<Result<Fd>> Listener::accept() {
  while (waiting_.empty()) {
    if (drained_) co_return fail(Errc::closed, "listener stopped");
    const Status woken = co_await arrived_.wait();
    AQUIFER_ASSERT(woken.has_value());
  }
  Fd fd = std::move(waiting_[given_out_++]);
  // Kept short while there is always one more, and no memory while there is none.
  constexpr std::size_t kGivenOutMax = 1024;
  if (given_out_ == kGivenOutMax) {
    waiting_.erase(waiting_.begin(), waiting_.begin() + kGivenOutMax);
    given_out_ = 0;
  }
  if (given_out_ == waiting_.size()) {
    waiting_ = std::vector<Fd>();
    given_out_ = 0;
  }
  co_return std::move(fd);
}

coro::Task<void> Listener::stop() {
  AQUIFER_ASSERT(!stopping_);
  stopping_ = true;
  resume_.disarm();
  if (armed_) {
    loop_.backend().stop_accept(handler_);
    while (armed_) {
      const Status woken = co_await stopped_.wait();
      AQUIFER_ASSERT(woken.has_value());
    }
  }
  // What finished its handshake before we stopped is the client's connection: it is served, not
  // reset.
  handler_.active = true;
  while (accept_some(handler_) > 0) {
  }
  handler_.active = false;
  // Now, and not when the last accepted connection has ended: an open descriptor would keep taking
  // clients, whom nobody ever serves.
  fd_ = Fd();
  drained_ = true;
  arrived_.notify();
}

void Listener::on_accept(void* context, int fd_or_errno) noexcept {
  auto& self = *static_cast<Listener*>(context);
  if (fd_or_errno >= 0) {
    self.waiting_.emplace_back(fd_or_errno);
    self.arrived_.notify();
    return;
  }
  if (self.stopping_) return;
  ++self.pauses_;
  self.loop_.backend().stop_accept(self.handler_);
  self.resume_.arm(self.loop_.timers(), self.loop_.after(kPause));
}

void Listener::on_stopped(void* context) noexcept {
  auto& self = *static_cast<Listener*>(context);
  self.armed_ = false;
  self.stopped_.notify();
}

void Listener::ResumeTimer::fire(Timer& timer) noexcept {
  Listener& self = static_cast<ResumeTimer&>(timer).listener;
  if (self.stopping_) return;
  if (self.armed_) {
    // The kernel has not said yet that the stopped request is gone.
    self.resume_.arm(self.loop_.timers(), self.loop_.after(kPause));
    return;
  }
  self.armed_ = true;
  self.loop_.backend().start_accept(self.handler_);
}

}  // namespace aquifer::io
