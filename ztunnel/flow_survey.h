// Asks all workers what their pods' connections are doing, and gives the answers together: for
// `/flows`, `/refusals`, `/config_dump` and the page. On the control thread; workers answer between
// two turns of their loops.
#pragma once

#include "common/coro/task.h"
#include "ztunnel/flow_event.h"
#include "ztunnel/worker_thread.h"

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace aquifer::ztunnel {

struct Survey {
  std::vector<FlowEvent> flows;  ///< a pod's together, newest first
  std::size_t left_out = 0;      ///< connections past the limit
  /// Workers that did not answer in time.
  std::size_t silent_workers = 0;
};

enum class SurveyOf : std::uint8_t { connections, refusals };

/// Copying one connection takes a worker about 0.3 us; more of them are of no use to a reader.
inline constexpr std::size_t kSurveyedPerWorkerMax = 20'000;

/// `pod` as NAMESPACE/NAME, or empty for all.
[[nodiscard]] coro::Task<Survey> survey(io::Loop& loop,
                                        const std::vector<std::unique_ptr<WorkerThread>>& workers,
                                        SurveyOf what, std::string pod);

}  // namespace aquifer::ztunnel
