// Event: one waits, others notify. Resumption goes through the ready queue.
#pragma once

#include "common/base/result.h"
#include "common/coro/cancel.h"
#include "common/coro/ready_queue.h"
#include "common/coro/wakeup.h"

#include <coroutine>
#include <utility>

namespace aquifer::coro {

/// An auto-reset flag with at most one waiter. notify() before wait() is remembered once.
/// Single-threaded.
class Event {
 public:
  Event() noexcept = default;
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  ~Event() { AQUIFER_ASSERT(waiter_ == nullptr); }

  /// Wakes the waiter, or the next one that comes.
  void notify() noexcept {
    if (waiter_ != nullptr) {
      wake_waiter();
    } else {
      set_ = true;
    }
  }
  [[nodiscard]] bool has_waiter() const noexcept { return waiter_ != nullptr; }

  /// A wait without a coroutine: `wakeup` is called by the next notify(). False when that has come
  /// already: it is forgotten, and nothing waits.
  [[nodiscard]] bool listen(Wakeup& wakeup) noexcept {
    AQUIFER_ASSERT(waiter_ == nullptr);
    if (set_) {
      set_ = false;
      return false;
    }
    waiter_ = &wakeup;
    return true;
  }
  /// Ends the wait, if there is one, by waking who waits; nothing is remembered.
  void end_wait() noexcept {
    if (waiter_ != nullptr) wake_waiter();
  }

  class Waiter : Wakeup, CancelHook {
   public:
    Waiter(Event& event, CancelSource* cancel) noexcept
        : Wakeup(&Waiter::on_wake),
          CancelHook(&Waiter::on_cancel),
          event_(event),
          cancel_(cancel) {}
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;
    // A frame destroyed while it waits would be resumed later.
    ~Waiter() { AQUIFER_ASSERT(!parked_); }
    [[nodiscard]] bool await_ready() noexcept {
      if (cancel_ != nullptr && cancel_->cancelled()) {
        cancelled_ = true;
        return true;
      }
      if (!event_.set_) return false;
      event_.set_ = false;
      return true;
    }
    void await_suspend(std::coroutine_handle<> self) noexcept {
      AQUIFER_ASSERT(event_.waiter_ == nullptr);
      self_ = self;
      share_ = ReadyQueue::current().meter().current();
      parked_ = true;
      event_.waiter_ = this;
      if (cancel_ != nullptr) cancel_->add(*this);
    }
    [[nodiscard]] Status await_resume() noexcept {
      if (cancelled_) return fail(Errc::cancelled, "waiting");
      return {};
    }

   private:
    friend class Event;
    static void on_cancel(CancelHook& hook) noexcept {
      auto& waiter = static_cast<Waiter&>(hook);
      waiter.cancelled_ = true;
      waiter.event_.end_wait();
    }
    static void on_wake(Wakeup& wakeup) noexcept {
      auto& waiter = static_cast<Waiter&>(wakeup);
      waiter.parked_ = false;
      waiter.unlink();
      ReadyQueue::current().push(waiter.self_, waiter.share_);
    }
    Event& event_;
    CancelSource* cancel_;
    std::coroutine_handle<> self_;
    WorkShare* share_ = nullptr;
    bool cancelled_ = false;
    bool parked_ = false;
  };

  /// Waits until notified or until `cancel` (may be null) asks for the end: then Errc::cancelled.
  [[nodiscard]] Waiter wait(CancelSource* cancel = nullptr) noexcept {
    return Waiter(*this, cancel);
  }

 private:
  void wake_waiter() noexcept { std::exchange(waiter_, nullptr)->wake(); }
  Wakeup* waiter_ = nullptr;
  bool set_ = false;
};

}  // namespace aquifer::coro
