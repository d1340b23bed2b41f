// Signals as something to await. Control thread.
#pragma once

#include "common/base/fd.h"
#include "common/coro/cancel.h"
#include "common/coro/task.h"
#include "common/io/loop.h"

#include <csignal>

namespace aquifer::admin {

/// Blocks SIGTERM and SIGINT for the whole process (before threads start) and reads them from a
/// descriptor.
class Signals {
 public:
  [[nodiscard]] static Result<Signals> open();
  /// The next signal's number.
  [[nodiscard]] coro::Task<Result<int>> next(io::Loop& loop, coro::CancelSource* cancel);
  /// After the last next().
  void forget(io::Loop& loop) { loop.backend().forget(channel_); }

 private:
  explicit Signals(Fd fd) noexcept : fd_(std::move(fd)) { channel_.fd = fd_.get(); }
  Fd fd_;
  io::Channel channel_;
};

}  // namespace aquifer::admin
