#include "ztunnel/same_node/handover.h"

#include <utility>

namespace aquifer::ztunnel {

void run_there(io::Loop& loop, io::Message message) {
  if (&loop == &io::Loop::current()) {
    message();
  } else {
    loop.post(std::move(message));
  }
}

coro::Task<Result<Handover::Answer>> Handover::wait_answer(Deadline deadline,
                                                           coro::CancelSource* cancel) {
  while (!answer_) {
    const Status woken = co_await io::wait_event(source_, answered_, deadline, cancel);
    if (!woken) co_return std::unexpected(woken.error());
  }
  co_return std::move(*answer_);
}

void Handover::watch(OnCut* watcher) noexcept {
  watcher_ = watcher;
  if (watcher_ != nullptr && cut_) watcher_->cut();
}

void Handover::report(LocalBytes bytes) {
  run_there(destination_, [self = shared_from_this(), bytes] { self->note(bytes, false); });
}

void Handover::finish(LocalBytes bytes) {
  AQUIFER_ASSERT(!finished_ && watcher_ == nullptr);
  finished_ = true;
  // Nobody takes it any more; the application hears that from whoever gave it.
  answer_.reset();
  run_there(destination_, [self = shared_from_this(), bytes] { self->note(bytes, true); });
}

void Handover::note(LocalBytes bytes, bool over) {
  bytes_ = bytes;
  over_ = over;
  changed_.notify();
}

void Handover::answer(int status, Fd application) {
  run_there(source_, [self = shared_from_this(), status, fd = std::move(application)]() mutable {
    if (self->finished_) return;
    self->answer_ = Answer{status, std::move(fd)};
    self->answered_.notify();
  });
}

void Handover::cut() {
  run_there(source_, [self = shared_from_this()] {
    self->cut_ = true;
    if (self->watcher_ != nullptr) self->watcher_->cut();
  });
}

}  // namespace aquifer::ztunnel
