// Cancellation: asking, not killing. A CancelSource is owned by whoever may want the end (a
// connection, a scope, the drain); operations register a CancelHook while they wait and are told
// once. Single-threaded.
#pragma once

#include "common/base/assert.h"

namespace aquifer::coro {

class CancelSource;

/// What an operation leaves with a source while it waits. Removes itself in its destructor.
class CancelHook {
 public:
  using Callback = void (*)(CancelHook&) noexcept;

  explicit CancelHook(Callback callback) noexcept : callback_(callback) {}
  CancelHook(const CancelHook&) = delete;
  CancelHook& operator=(const CancelHook&) = delete;
  ~CancelHook() { unlink(); }

  void unlink() noexcept {
    if (previous_ == nullptr) return;
    previous_->next_ = next_;
    if (next_ != nullptr) next_->previous_ = previous_;
    previous_ = next_ = nullptr;
  }
  [[nodiscard]] bool linked() const noexcept { return previous_ != nullptr; }

 private:
  friend class CancelSource;
  Callback callback_;
  CancelHook* previous_ = nullptr;
  CancelHook* next_ = nullptr;
};

/// True once, for everybody. The callbacks must only mark and enqueue; they may unlink themselves
/// or others.
class CancelSource {
 public:
  CancelSource() noexcept : head_(nullptr) {}
  CancelSource(const CancelSource&) = delete;
  CancelSource& operator=(const CancelSource&) = delete;
  ~CancelSource() { AQUIFER_ASSERT(head_.next_ == nullptr); }

  [[nodiscard]] bool cancelled() const noexcept { return cancelled_; }

  /// Tells every registered hook once, in no promised order. Further calls do nothing.
  void cancel() noexcept {
    cancelled_ = true;
    while (head_.next_ != nullptr) {
      CancelHook* hook = head_.next_;
      hook->unlink();
      hook->callback_(*hook);
    }
  }

  /// The hook must outlive its registration. Not to be called once cancelled (ask first).
  void add(CancelHook& hook) noexcept {
    AQUIFER_DEBUG_ASSERT(!hook.linked() && !cancelled_);
    hook.next_ = head_.next_;
    hook.previous_ = &head_;
    if (head_.next_ != nullptr) head_.next_->previous_ = &hook;
    head_.next_ = &hook;
  }

 private:
  bool cancelled_ = false;
  CancelHook head_;
};

}  // namespace aquifer::coro
