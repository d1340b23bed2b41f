#include "common/io/copy.h"

#include "common/coro/cancel_link.h"

namespace aquifer::io {
std::size_t Copy::Direction::deliver(ByteView bytes) noexcept {
  const std::size_t taken = sink->deliver(bytes);
  count(taken);
  return taken;
}

void Copy::Direction::count(std::size_t bytes) noexcept {
  if (source == Side::client) {
    counter.from_client(bytes);
  } else {
    counter.to_client(bytes);
  }
}

coro::Task<CopyEnd> Copy::run(coro::CancelSource& cancel) {
  for (Direction* direction : {&up_, &down_}) {
    direction->sink = direction->to.as_sink();
    if (direction->sink != nullptr) direction->from.set_direct_sink(direction);
  }
  {
    coro::CancelLink link(cancel, scope_);
    scope_.spawn(pump(up_, down_));
    scope_.spawn(pump(down_, up_));
    co_await scope_.join();
  }
  up_.from.set_direct_sink(nullptr);
  down_.from.set_direct_sink(nullptr);
  const bool whole = up_.ended && down_.ended && end_ == CopyEnd::complete;
  if (!whole) {
    if (end_ == CopyEnd::complete) end_ = CopyEnd::cancelled;
    up_.from.abort();
    down_.from.abort();
  }
  co_return end_;
}

coro::Task<void> Copy::pump(Direction& direction, Direction& other) {
  const bool source_ended = co_await move_bytes(direction);
  if (!source_ended) co_return;
  if (const Status told = direction.to.shutdown_write(); !told) {
    fail();
    co_return;
  }
  direction.ended = true;
  if (other.ended) {
    // Whoever watches for a late failure may stop.
    scope_.cancel();
    co_return;
  }
  // The source has ended its half, but may still throw the whole connection away while the other
  // half goes on.
  const Error failure = co_await direction.from.failure(&scope_.cancel_source());
  if (failure.code != Errc::cancelled && !other.ended) fail();
}

coro::Task<bool> Copy::move_bytes(Direction& direction) {
  coro::CancelSource* cancel = &scope_.cancel_source();
  for (;;) {
    auto allowance = co_await direction.to.writable(cancel);
    if (!allowance) {
      // The receiver takes no more. What it still has to say may be on its way: the other direction
      // goes on until it hears the failure itself.
      if (allowance.error().code != Errc::cancelled) end_ = CopyEnd::reset;
      co_return false;
    }
    auto chunk = co_await direction.from.read(*allowance, cancel);
    if (!chunk) {
      if (chunk.error().code != Errc::cancelled) fail();
      co_return false;
    }
    if (chunk->empty()) co_return true;
    const std::size_t size = chunk->size();
    const Status written = direction.to.write(std::move(*chunk));
    if (!written) {
      end_ = CopyEnd::reset;
      co_return false;
    }
    direction.count(size);
  }
}

void Copy::fail() noexcept {
  if (end_ == CopyEnd::complete) end_ = CopyEnd::reset;
  scope_.cancel();
}

}  // namespace aquifer::io
