// A listening socket of one loop: accepted connections one by one, to whoever awaits them.
#pragma once

#include "common/base/fd.h"
#include "common/coro/event.h"
#include "common/coro/task.h"
#include "common/io/loop.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace aquifer::io {

/// Owns the listening descriptor (non-blocking). `accept()` is for one coroutine at a time. When
/// descriptors run out it pauses and tries again, so that one shortage does not end the service.
/// Before it is destroyed: `co_await stop()`.
class Listener {
 public:
  Listener(Loop& loop, Fd fd);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  /// The next connection (non-blocking, close-on-exec). Errc::closed once stop() was asked and the
  /// queue is empty.
  [[nodiscard]] coro::Task<Result<Fd>> accept();

  /// No new connection is taken by the loop from now on; those already in the kernel's queue are
  /// drained into ours and given out by accept(). To be called once; completes when the kernel is
  /// done with the listener, whose port is free from then on.
  [[nodiscard]] coro::Task<void> stop();

  /// -1 once it has stopped.
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  /// Times accepting had to pause because descriptors or memory ran out.
  [[nodiscard]] std::uint64_t pauses() const noexcept { return pauses_; }

 private:
  struct ResumeTimer : Timer {
    explicit ResumeTimer(Listener& l) noexcept : Timer(&ResumeTimer::fire), listener(l) {}
    static void fire(Timer& timer) noexcept;
    Listener& listener;
  };
  static void on_accept(void* context, int fd_or_errno) noexcept;
  static void on_stopped(void* context) noexcept;

  Loop& loop_;
  Fd fd_;
  AcceptHandler handler_;
  ResumeTimer resume_;
  // A ring would need its own code and a deque holds half a KiB when empty, in every pod three
  // times.
  std::vector<Fd> waiting_;
  std::size_t given_out_ = 0;  // of waiting_, from its front
  coro::Event arrived_;
  coro::Event stopped_;
  bool stopping_ = false;
  bool drained_ = false;  // nothing more will come into waiting_
  bool armed_ = false;
  std::uint64_t pauses_ = 0;
};

}  // namespace aquifer::io
