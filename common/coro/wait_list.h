// WaitList: several coroutines wait for the same thing.
#pragma once

#include "common/coro/event.h"

#include <algorithm>
#include <vector>

namespace aquifer::coro {

/// Wakes all who wait; each looks again at what it waited for. Single-threaded.
class WaitList {
 public:
  WaitList() = default;
  WaitList(const WaitList&) = delete;
  WaitList& operator=(const WaitList&) = delete;
  ~WaitList() { AQUIFER_ASSERT(events_.empty()); }

  /// One waiter's place: construct, then wait for `event`; leaves the list in its destructor.
  class Place {
   public:
    explicit Place(WaitList& list) : list_(list) { list_.events_.push_back(&event); }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() { std::erase(list_.events_, &event); }
    Event event;

   private:
    WaitList& list_;
  };

  void notify_all() noexcept {
    for (Event* event : events_) event->notify();
  }
  [[nodiscard]] std::size_t waiting() const noexcept { return events_.size(); }

 private:
  std::vector<Event*> events_;
};

}  // namespace aquifer::coro
