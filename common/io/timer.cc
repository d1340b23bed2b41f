#include "common/io/timer.h"

#include "common/base/assert.h"

namespace aquifer::io {

void Timer::arm(TimerQueue& queue, Deadline deadline) {
  disarm();
  if (!deadline.is_never()) queue.insert(*this, deadline.at());
}

void Timer::disarm() noexcept {
  if (queue_ != nullptr) queue_->remove(*this);
}

MonoTime TimerQueue::next() const noexcept {
  return heap_.empty() ? MonoTime::max() : heap_.front().at;
}

void TimerQueue::expire(MonoTime now) noexcept {
  while (!heap_.empty() && heap_.front().at <= now) {
    Timer* timer = heap_.front().timer;
    remove(*timer);
    timer->callback_(*timer);
  }
}

void TimerQueue::insert(Timer& timer, MonoTime at) {
  AQUIFER_DEBUG_ASSERT(timer.queue_ == nullptr);
  timer.queue_ = this;
  heap_.push_back({});
  sift_up(heap_.size() - 1, Entry{at, &timer});
}

void TimerQueue::remove(Timer& timer) noexcept {
  AQUIFER_DEBUG_ASSERT(timer.queue_ == this);
  const std::size_t index = timer.index_;
  timer.queue_ = nullptr;
  const Entry last = heap_.back();
  heap_.pop_back();
  if (index == heap_.size()) return;
  // The last entry takes the hole, then moves to where it belongs in either direction.
  if (index > 0 && last.at < heap_[(index - 1) / 2].at) {
    sift_up(index, last);
  } else {
    sift_down(index, last);
  }
}

void TimerQueue::place(std::size_t index, Entry entry) noexcept {
  heap_[index] = entry;
  entry.timer->index_ = static_cast<std::uint32_t>(index);
}

void TimerQueue::sift_up(std::size_t index, Entry entry) noexcept {
  while (index > 0) {
    const std::size_t parent = (index - 1) / 2;
    if (heap_[parent].at <= entry.at) break;
    place(index, heap_[parent]);
    index = parent;
  }
  place(index, entry);
}

void TimerQueue::sift_down(std::size_t index, Entry entry) noexcept {
  for (;;) {
    std::size_t child = 2 * index + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && heap_[child + 1].at < heap_[child].at) ++child;
    if (entry.at <= heap_[child].at) break;
    place(index, heap_[child]);
    index = child;
  }
  place(index, entry);
}

}  // namespace aquifer::io
