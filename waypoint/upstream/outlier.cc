#include "waypoint/upstream/outlier.h"

namespace aquifer::waypoint {
namespace {

using Counter = std::atomic<std::uint32_t>;

void clear(Counter& counter) noexcept {
  if (counter.load(std::memory_order_relaxed) != 0) counter.store(0, std::memory_order_relaxed);
}

bool reaches(Counter& counter, std::uint32_t limit) noexcept {
  if (limit == 0) return false;
  if (counter.fetch_add(1, std::memory_order_relaxed) + 1 < limit) return false;
  // Begins anew, whether or not the endpoint may be left out now.
  counter.store(0, std::memory_order_relaxed);
  return true;
}

bool is_gateway_error(int status) noexcept {
  return status == 502 || status == 503 || status == 504;
}

bool note_status(const l7::OutlierDetection& rules, FailureRecord& record, int status) noexcept {
  if (status < 500) {
    clear(record.server_errors);
    clear(record.gateway_errors);
    return false;
  }
  bool reached = reaches(record.server_errors, rules.consecutive_5xx);
  if (!is_gateway_error(status)) {
    clear(record.gateway_errors);
  } else if (reaches(record.gateway_errors, rules.consecutive_gateway_errors)) {
    reached = true;
  }
  return reached;
}

}  // namespace

bool note_outcome(const l7::OutlierDetection& rules, FailureRecord& record, Outcome outcome,
                  int status) noexcept {
  switch (outcome) {
    case Outcome::answered: clear(record.local_failures); return note_status(rules, record, status);
    case Outcome::connect_failed:
    case Outcome::reset:
    case Outcome::timed_out:
      if (rules.split_local)
        return reaches(record.local_failures, rules.consecutive_local_failures);
      // What the client is told then: one of the gateway errors.
      return note_status(rules, record, 503);
    case Outcome::cancelled: return false;
  }
  return false;
}

}  // namespace aquifer::waypoint
