// Awaiting that a descriptor becomes readable or writable, whatever it is (eventfd, inotify,
// socket).
#pragma once

#include "common/io/backend.h"
#include "common/io/operation.h"

namespace aquifer::io {

/// `Readable wait(loop, channel, deadline, cancel); auto status = co_await wait;`
class Readable : public Awaited<Operation> {
 public:
  Readable(Loop& loop, Channel& channel, Deadline deadline, coro::CancelSource* cancel) noexcept
      : Awaited(loop, deadline, cancel, OperationKind::readable, channel) {}
  [[nodiscard]] Status await_resume() noexcept { return outcome("waiting to read"); }
};

class Writable : public Awaited<Operation> {
 public:
  Writable(Loop& loop, Channel& channel, Deadline deadline, coro::CancelSource* cancel) noexcept
      : Awaited(loop, deadline, cancel, OperationKind::writable, channel) {}
  [[nodiscard]] Status await_resume() noexcept { return outcome("waiting to write"); }
};

/// Completes when the connection is over in both directions or failed; data alone does not wake it.
class Hangup : public Awaited<Operation> {
 public:
  Hangup(Loop& loop, Channel& channel, Deadline deadline, coro::CancelSource* cancel) noexcept
      : Awaited(loop, deadline, cancel, OperationKind::hangup, channel) {}
  [[nodiscard]] Status await_resume() noexcept { return outcome("waiting for the end"); }
};

}  // namespace aquifer::io
