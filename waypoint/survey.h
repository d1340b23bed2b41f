// Asks all workers something and gives their answers together: for pages. On the control thread;
// workers answer between two turns of their loops.
#pragma once

#include "common/coro/event.h"
#include "common/coro/task.h"
#include "common/io/expiry.h"
#include "common/io/loop.h"
#include "waypoint/worker_thread.h"

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace aquifer::waypoint {

using WorkerThreads = std::vector<std::unique_ptr<WorkerThread>>;

template <typename Found>
struct Survey {
  std::vector<Found> answers;  ///< one for each worker that answered
  /// Workers that did not answer in time.
  std::size_t silent_workers = 0;
};

/// A worker answers within a turn of its loop, milliseconds; one that does not is stuck, and the
/// page should say so rather than hang.
inline constexpr auto kSurveyTimeout = std::chrono::seconds(2);

/// `look` is called on each worker's thread.
template <typename Found>
coro::Task<Survey<Found>> survey(io::Loop& loop, const WorkerThreads& workers,
                                 std::function<Found(Worker&)> look) {
  // Shared with the messages under way: a late answer must find it.
  struct Answers {
    std::vector<Found> found;
    coro::Event arrived;
  };
  const auto answers = std::make_shared<Answers>();
  for (const auto& worker : workers) {
    worker->look([answers, look, &loop](Worker& side) {
      auto found = std::make_shared<Found>(look(side));
      loop.post([answers, found] {
        answers->found.push_back(std::move(*found));
        answers->arrived.notify();
      });
    });
  }
  const Deadline deadline = loop.after(kSurveyTimeout);
  while (answers->found.size() < workers.size()) {
    const Status woken = co_await io::wait_event(loop, answers->arrived, deadline);
    if (!woken) break;
  }
  Survey<Found> result;
  result.silent_workers = workers.size() - answers->found.size();
  result.answers = std::move(answers->found);
  co_return result;
}

}  // namespace aquifer::waypoint
