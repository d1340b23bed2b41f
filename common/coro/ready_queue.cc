#include "common/coro/ready_queue.h"

#include "common/base/assert.h"

namespace aquifer::coro {
namespace {
thread_local ReadyQueue* current_queue = nullptr;
// After a burst the two vectors are given back: 4096 entries are 96 KiB.
constexpr std::size_t kKeepMax = 4096;
}  // namespace

void ReadyQueue::run_once() {
  AQUIFER_DEBUG_ASSERT(running_.empty());
  running_.swap(next_);
  meter_.begin();
  for (const Entry& entry : running_) {
    meter_.work_for(entry.share);
    entry.run(entry.what);
    meter_.lap();
  }
  running_.clear();
  if (running_.capacity() > kKeepMax) running_.shrink_to_fit();
}

ReadyQueue& ReadyQueue::current() noexcept {
  AQUIFER_ASSERT(current_queue != nullptr);
  return *current_queue;
}

void ReadyQueue::set_current(ReadyQueue* queue) noexcept {
  current_queue = queue;
}

}  // namespace aquifer::coro
