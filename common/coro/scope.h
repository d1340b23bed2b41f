// Scope: the nursery. Tasks run in a scope, the scope's owner joins them, nothing is detached.
#pragma once

#include "common/coro/cancel.h"
#include "common/coro/event.h"
#include "common/coro/task.h"

#include <cstddef>

namespace aquifer::coro {

/// Owns running tasks of one thread. The destructor asserts that none is left: `co_await
/// scope.join()` first. `cancel_source()` is handed to what the tasks wait for; cancelling it asks
/// all of them to end.
class Scope {
 public:
  Scope() noexcept = default;
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
  ~Scope() { AQUIFER_ASSERT(running_ == 0); }

  /// Starts `task` at once, up to its first suspension. Its arguments must have been taken by
  /// value.
  void spawn(Task<void> task);

  /// Something that goes on in the scope without a task of its own: join() waits until it is gone.
  class Member {
   public:
    explicit Member(Scope& scope) noexcept : scope_(scope) { ++scope_.running_; }
    Member(const Member&) = delete;
    Member& operator=(const Member&) = delete;
    ~Member() { scope_.one_ended(); }

   private:
    Scope& scope_;
  };

  /// Completes when nothing runs. One joiner at a time; spawning after the join began is allowed.
  Task<void> join();

  [[nodiscard]] std::size_t running() const noexcept { return running_; }
  [[nodiscard]] CancelSource& cancel_source() noexcept { return cancel_; }
  void cancel() noexcept { cancel_.cancel(); }

 private:
  struct Root;
  static Root run(Scope& scope, Task<void> task);
  void one_ended() noexcept {
    if (--running_ == 0) idle_.notify();
  }

  std::size_t running_ = 0;
  Event idle_;
  CancelSource cancel_;
};

}  // namespace aquifer::coro
