#include "common/io/copy.h"

#include "common/coro/event.h"
#include "common/coro/ready_queue.h"
#include "common/io/loop.h"

#include <tuple>
#include <utility>

namespace aquifer::io {

Copy::Copy(ByteStream& client, ByteStream& server, CopyCounter& counter) noexcept
    : CancelHook(&Copy::on_cancel),
      client_(client),
      server_(server),
      counter_(counter),
      up_(*this),
      down_(*this) {}

Copy::~Copy() {
  for (const Direction* direction : {&up_, &down_})
    AQUIFER_ASSERT(!direction->waits && !direction->queued);
}

void Copy::start(coro::CancelSource& cancel, CopyOwner& owner,
                 std::size_t read_under_way) noexcept {
  AQUIFER_ASSERT(owner_ == nullptr);
  owner_ = &owner;
  share_ = coro::ReadyQueue::current().meter().current();
  if (cancel.cancelled()) {
    stopping_ = true;
  } else {
    cancel.add(*this);
  }
  for (Direction* direction : {&up_, &down_}) {
    direction->sink = receiver(*direction).as_sink();
    if (direction->sink != nullptr) source(*direction).set_direct_sink(direction);
  }
  if (read_under_way > 0) {
    // Taken over in any case: only who waits for it can end it.
    up_.stage = Stage::bytes;
    up_.allowance = read_under_way;
    std::ignore = move_bytes(up_);
    if (stopping_) stop_waiting(up_);
  }
  if (!up_.waits && !up_.queued) advance(up_);
  advance(down_);
  // The owner is told in a turn of its own, not from inside its call.
  if (at_rest(up_) && at_rest(down_)) enqueue(up_);
}

coro::Task<CopyEnd> Copy::run(coro::CancelSource& cancel) {
  struct Owner final : CopyOwner {
    void on_copy_end(CopyEnd how) noexcept override {
      end = how;
      ended.notify();
    }
    coro::Event ended;
    CopyEnd end = CopyEnd::complete;
  };
  Owner owner;
  start(cancel, owner);
  // Not to be cancelled: the copy itself is.
  const Status woken = co_await owner.ended.wait();
  AQUIFER_ASSERT(woken.has_value());
  co_return owner.end;
}

std::size_t Copy::Direction::deliver(ByteView bytes) noexcept {
  const std::size_t taken = sink->deliver(bytes);
  copy.count(*this, taken);
  return taken;
}

void Copy::Direction::on_wake(coro::Wakeup& wakeup) noexcept {
  auto& direction = static_cast<Direction&>(wakeup);
  direction.waits = false;
  direction.copy.enqueue(direction);
}

void Copy::Direction::on_turn(void* direction) noexcept {
  auto& self = *static_cast<Direction*>(direction);
  Copy& copy = self.copy;
  self.queued = false;
  copy.advance(self);
  copy.finish_if_over();
}

void Copy::count(const Direction& direction, std::size_t bytes) noexcept {
  Loop::current().courtesy().moved(bytes);
  if (&direction == &up_) {
    counter_.from_client(bytes);
  } else {
    counter_.to_client(bytes);
  }
}

void Copy::enqueue(Direction& direction) noexcept {
  direction.queued = true;
  coro::ReadyQueue::current().push(&Direction::on_turn, &direction, share_);
}

void Copy::advance(Direction& direction) noexcept {
  bool goes_on = true;
  while (goes_on) {
    if (stopping_) direction.stage = Stage::over;
    switch (direction.stage) {
      case Stage::room: goes_on = ask_for_room(direction); break;
      case Stage::bytes: goes_on = move_bytes(direction); break;
      case Stage::watch: goes_on = watch(direction); break;
      case Stage::over: return;
    }
  }
}

bool Copy::ask_for_room(Direction& direction) noexcept {
  // Before the call, which may wake it.
  direction.waits = true;
  const auto allowance = receiver(direction).poll_writable(direction);
  if (allowance && *allowance == 0) return false;
  direction.waits = false;
  if (!allowance) {
    // The receiver takes no more. What it still has to say may be on its way: the other direction
    // goes on until it hears the failure itself.
    end_ = CopyEnd::reset;
    direction.stage = Stage::over;
    return true;
  }
  direction.allowance = *allowance;
  direction.stage = Stage::bytes;
  return true;
}

bool Copy::move_bytes(Direction& direction) noexcept {
  direction.waits = true;
  auto chunk = source(direction).poll_read(direction.allowance, direction);
  if (chunk && !chunk->has_value()) return false;
  direction.waits = false;
  if (!chunk) {
    fail();
    return true;
  }
  if (stopping_) return true;  // a read that was taken over: nobody is to get its bytes any more
  Buffer& bytes = **chunk;
  if (bytes.empty()) {
    pass_end_on(direction);
    return true;
  }
  const std::size_t size = bytes.size();
  const Status written = receiver(direction).write(std::move(bytes));
  if (!written) {
    end_ = CopyEnd::reset;
    direction.stage = Stage::over;
    return true;
  }
  count(direction, size);
  direction.stage = Stage::room;
  return true;
}

void Copy::pass_end_on(Direction& direction) noexcept {
  if (const Status told = receiver(direction).shutdown_write(); !told) {
    fail();
    return;
  }
  direction.ended = true;
  direction.stage = Stage::watch;
  if (!other(direction).ended) return;
  // Whoever watches for a late failure may stop.
  direction.stage = Stage::over;
  Direction& watching = other(direction);
  watching.stage = Stage::over;
  stop_waiting(watching);
}

bool Copy::watch(Direction& direction) noexcept {
  direction.waits = true;
  const std::optional<Error> failure = source(direction).poll_failure(direction);
  if (!failure) return false;
  direction.waits = false;
  fail();
  return true;
}

void Copy::fail() noexcept {
  if (end_ == CopyEnd::complete) end_ = CopyEnd::reset;
  cancel();
}

void Copy::cancel() noexcept {
  if (stopping_) return;
  stopping_ = true;
  for (Direction* direction : {&up_, &down_}) stop_waiting(*direction);
}

void Copy::on_cancel(coro::CancelHook& hook) noexcept {
  static_cast<Copy&>(hook).cancel();
}

void Copy::stop_waiting(Direction& direction) noexcept {
  if (!direction.waits) return;
  // Its wakeup comes, now or soon, and with it the turn in which it sees that it is over.
  if (direction.stage == Stage::room) {
    receiver(direction).end_write_wait();
  } else {
    source(direction).end_read_wait();
  }
}

void Copy::finish_if_over() noexcept {
  if (!at_rest(up_) || !at_rest(down_)) return;
  CancelHook::unlink();
  client_.set_direct_sink(nullptr);
  server_.set_direct_sink(nullptr);
  const bool whole = up_.ended && down_.ended && end_ == CopyEnd::complete;
  if (!whole) {
    if (end_ == CopyEnd::complete) end_ = CopyEnd::cancelled;
    client_.abort();
    server_.abort();
  }
  owner_->on_copy_end(end_);
}

}  // namespace aquifer::io
