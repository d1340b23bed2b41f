// Task<T>: the one coroutine type. Lazy, move-only, single-threaded. Started by awaiting it or by
// Scope::spawn.
#pragma once

#include "common/base/assert.h"
#include "common/coro/frame_pool.h"

#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <utility>

namespace aquifer::coro {

template <typename T>
class Task;

namespace detail {

struct PromiseBase {
  // The awaiting parent, set only once it is really suspended; null while the parent's resume() is
  // still below us.
  std::coroutine_handle<> continuation;

  static void* operator new(std::size_t bytes) { return frame_allocate(bytes); }
  static void operator delete(void* block, std::size_t bytes) noexcept { frame_free(block, bytes); }

  struct FinalAwaiter {
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <typename Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> self) const noexcept {
      // The parent destroys this frame once it runs: nothing of `self` may be touched after this
      // line.
      auto next = self.promise().continuation;
      return next ? next : std::noop_coroutine();
    }
    void await_resume() const noexcept {}
  };

  [[nodiscard]] std::suspend_always initial_suspend() const noexcept { return {}; }
  [[nodiscard]] FinalAwaiter final_suspend() const noexcept { return {}; }
  // Exceptions do not cross a coroutine: one that escapes is a broken invariant.
  [[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }
};

template <typename T>
struct Promise : PromiseBase {
  std::optional<T> value;
  Task<T> get_return_object() noexcept;
  template <typename U = T>
  void return_value(U&& v) {
    value.emplace(std::forward<U>(v));
  }
  T take() { return std::move(*value); }
};

template <>
struct Promise<void> : PromiseBase {
  Task<void> get_return_object() noexcept;
  void return_void() const noexcept {}
  void take() const noexcept {}
};

}  // namespace detail

/// A computation that may suspend. Awaiting starts it at once on the awaiting thread; the result is
/// moved out. Dropping a task that was never started is allowed; dropping a suspended one is not
/// (it would leave an operation behind).
template <typename T = void>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::Promise<T>;
  using Handle = std::coroutine_handle<promise_type>;

  explicit Task(Handle handle) noexcept : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  Task& operator=(Task&& other) = delete;
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;
  ~Task() {
    if (handle_) handle_.destroy();
  }

  struct Awaiter {
    Handle child;
    explicit Awaiter(Handle h) noexcept : child(h) {}
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    // True only if the child really suspended: then it resumes us from its final suspend. A child
    // that finished at once lets us go on without another jump, so a loop of such calls does not
    // grow the stack.
    bool await_suspend(std::coroutine_handle<> parent) noexcept {
      child.resume();
      if (child.done()) return false;
      child.promise().continuation = parent;
      return true;
    }
    T await_resume() { return child.promise().take(); }
  };

  [[nodiscard]] Awaiter operator co_await() && noexcept {
    AQUIFER_DEBUG_ASSERT(handle_);
    return Awaiter(handle_);
  }

 private:
  Handle handle_;
};

namespace detail {
template <typename T>
Task<T> Promise<T>::get_return_object() noexcept {
  return Task<T>(std::coroutine_handle<Promise<T>>::from_promise(*this));
}
inline Task<void> Promise<void>::get_return_object() noexcept {
  return Task<void>(std::coroutine_handle<Promise<void>>::from_promise(*this));
}
}  // namespace detail

}  // namespace aquifer::coro
