// Timers of one loop: a heap of intrusive nodes. Arming and disarming cost O(log n) and no
// allocation once warm.
#pragma once

#include "common/base/time.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace aquifer::io {

class TimerQueue;

/// Something that wants to be told once at a time. Disarms itself in its destructor.
class Timer {
 public:
  using Callback = void (*)(Timer&) noexcept;
  explicit Timer(Callback callback) noexcept : callback_(callback) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() { disarm(); }

  /// Arms, or moves, the timer. The callback only marks and enqueues; a Deadline that is never
  /// disarms.
  void arm(TimerQueue& queue, Deadline deadline);
  void disarm() noexcept;
  [[nodiscard]] bool armed() const noexcept { return queue_ != nullptr; }

 private:
  friend class TimerQueue;
  Callback callback_;
  TimerQueue* queue_ = nullptr;
  std::uint32_t index_ = 0;  // in the heap; 32 bits leave room for an Operation's result
};

class TimerQueue {
 public:
  TimerQueue() = default;
  TimerQueue(const TimerQueue&) = delete;
  TimerQueue& operator=(const TimerQueue&) = delete;

  /// When the first timer fires, or MonoTime::max().
  [[nodiscard]] MonoTime next() const noexcept;
  /// Fires what is due. Callbacks may arm and disarm.
  void expire(MonoTime now) noexcept;
  [[nodiscard]] std::size_t size() const noexcept { return heap_.size(); }

 private:
  friend class Timer;
  struct Entry {
    MonoTime at;
    Timer* timer;
  };
  void insert(Timer& timer, MonoTime at);
  void remove(Timer& timer) noexcept;
  void place(std::size_t index, Entry entry) noexcept;
  void sift_up(std::size_t index, Entry entry) noexcept;
  void sift_down(std::size_t index, Entry entry) noexcept;
  std::vector<Entry> heap_;
};

}  // namespace aquifer::io
