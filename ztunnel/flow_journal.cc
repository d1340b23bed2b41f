#include "ztunnel/flow_journal.h"

#include <utility>

namespace aquifer::ztunnel {

void FlowJournal::follow(Sink sink) {
  sink_ = std::move(sink);
  if (sink_ != nullptr) return;
  Timer::disarm();
  batch_ = {};
}

void FlowJournal::add(FlowEvent event) {
  AQUIFER_DEBUG_ASSERT(followed());
  if (batch_.events.size() >= kBatchEventsMax) {
    ++batch_.lost;
    return;
  }
  batch_.events.push_back(std::move(event));
  if (!Timer::armed()) Timer::arm(loop_.timers(), loop_.after(kFlushInterval));
}

void FlowJournal::on_timer(io::Timer& timer) noexcept {
  auto& self = static_cast<FlowJournal&>(timer);
  self.sink_(std::exchange(self.batch_, {}));
}

}  // namespace aquifer::ztunnel
