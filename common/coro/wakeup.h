// Wakeup: who goes on when something has happened, without being a coroutine. What waits in numbers
// (the two directions of each idle connection) has no frame: it is an object with one of these.
#pragma once

namespace aquifer::coro {

/// Called once for each wait that it was given to. The callback only marks and enqueues
/// (ReadyQueue).
class Wakeup {
 public:
  using Callback = void (*)(Wakeup&) noexcept;

  Wakeup(const Wakeup&) = delete;
  Wakeup& operator=(const Wakeup&) = delete;
  void wake() noexcept { callback_(*this); }

 protected:
  explicit Wakeup(Callback callback) noexcept : callback_(callback) {}
  ~Wakeup() = default;

 private:
  Callback callback_;
};

}  // namespace aquifer::coro
