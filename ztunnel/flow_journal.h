// FlowJournal: what happens to connections, for whoever follows. One per worker, on its loop. When
// nobody follows it costs one comparison per connection; else events go to the follower's side in
// batches, so that the loop takes no lock per connection.
#pragma once

#include "common/io/loop.h"
#include "ztunnel/flow_event.h"

#include <cstdint>
#include <functional>
#include <vector>

namespace aquifer::ztunnel {

struct FlowBatch {
  std::vector<FlowEvent> events;
  /// Events that did not fit.
  std::uint64_t lost = 0;
};

class FlowJournal : io::Timer {
 public:
  using Sink = std::function<void(FlowBatch)>;

  explicit FlowJournal(io::Loop& loop) noexcept : Timer(&FlowJournal::on_timer), loop_(loop) {}

  /// Is it worth making events?
  [[nodiscard]] bool followed() const noexcept { return sink_ != nullptr; }
  /// `sink` takes batches from now on, on this loop's thread; it only passes them on. Null ends it.
  void follow(Sink sink);
  /// Only while it is followed.
  void add(FlowEvent event);

  /// Between an event and its telling: what a person takes for at once.
  static constexpr std::chrono::milliseconds kFlushInterval{50};
  /// Of one batch: 80,000 events a second, about 3 MiB while they wait.
  static constexpr std::size_t kBatchEventsMax = 4'000;

 private:
  static void on_timer(io::Timer& timer) noexcept;

  io::Loop& loop_;
  Sink sink_;
  FlowBatch batch_;
};

}  // namespace aquifer::ztunnel
