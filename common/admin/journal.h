// Journal: what happens on one loop, for whoever follows. When nobody follows it costs one
// comparison per event; else events go to the followers' side in batches, so that the loop takes no
// lock per event. One per worker, on its loop.
#pragma once

#include "common/base/assert.h"
#include "common/io/loop.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

namespace aquifer::admin {

template <typename Event>
struct Batch {
  std::vector<Event> events;
  /// Events that did not fit.
  std::uint64_t lost = 0;
};

template <typename Event>
class Journal : io::Timer {
 public:
  using Sink = std::function<void(Batch<Event>)>;

  explicit Journal(io::Loop& loop) noexcept : Timer(&Journal::on_timer), loop_(loop) {}

  /// Is it worth making events?
  [[nodiscard]] bool followed() const noexcept { return sink_ != nullptr; }
  /// `sink` takes batches from now on, on this loop's thread; it only passes them on. Null ends it.
  void follow(Sink sink) {
    sink_ = std::move(sink);
    if (sink_ != nullptr) return;
    Timer::disarm();
    batch_ = {};
  }
  /// Only while it is followed.
  void add(Event event) {
    AQUIFER_DEBUG_ASSERT(followed());
    if (batch_.events.size() >= kBatchEventsMax) {
      ++batch_.lost;
      return;
    }
    batch_.events.push_back(std::move(event));
    if (!Timer::armed()) Timer::arm(loop_.timers(), loop_.after(kFlushInterval));
  }

  /// Between an event and its telling: what a person takes for at once.
  static constexpr std::chrono::milliseconds kFlushInterval{50};
  /// Of one batch: 80,000 events a second, about 3 MiB while they wait.
  static constexpr std::size_t kBatchEventsMax = 4'000;

 private:
  static void on_timer(io::Timer& timer) noexcept {
    auto& self = static_cast<Journal&>(timer);
    self.sink_(std::exchange(self.batch_, {}));
  }

  io::Loop& loop_;
  Sink sink_;
  Batch<Event> batch_;
};

}  // namespace aquifer::admin
