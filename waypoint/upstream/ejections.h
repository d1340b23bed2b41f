// Which endpoints of a cluster are left out because they failed, for all loops together: each loop
// sees only its part of the requests, and together they notice a failing endpoint sooner and agree
// on it. Any thread.
#pragma once

#include "common/base/time.h"
#include "config/model/l7/cluster.h"
#include "config/model/service.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>

namespace aquifer::waypoint {

/// How one endpoint failed of late. A success costs a relaxed load of each counter, so that loops
/// do not fight for the cache line while all is well.
struct FailureRecord {
  std::atomic<std::uint32_t> server_errors{0};
  std::atomic<std::uint32_t> gateway_errors{0};
  std::atomic<std::uint32_t> local_failures{0};

  [[nodiscard]] bool is_ejected(MonoTime now) const noexcept { return returns() > now; }
  /// When it comes back, or came back; the epoch: it was never left out.
  [[nodiscard]] MonoTime returns() const noexcept {
    return MonoTime(Duration(returns_.load(std::memory_order_acquire)));
  }

 private:
  friend class Ejections;
  std::atomic<Duration::rep> returns_{0};
  // How often it was left out, less what it was forgiven since. Guarded by Ejections::mutex_.
  std::uint32_t times_ = 0;
};

/// The records of a cluster's endpoints, and the decision to leave one out.
class Ejections {
 public:
  /// The record of this endpoint: the same for every loop while one of them keeps it.
  [[nodiscard]] std::shared_ptr<FailureRecord> record_of(model::EndpointId endpoint);

  /// Leaves it out for a while unless too many already are. `members`: how many of the cluster are
  /// ready. True when it is left out from now on.
  bool eject(FailureRecord& record, const l7::OutlierDetection& rules, std::size_t members,
             MonoTime now);

  /// Grows with every ejection: loops look at it before each choice.
  [[nodiscard]] std::uint64_t generation() const noexcept {
    return generation_.load(std::memory_order_acquire);
  }
  /// How many were left out so far, and how many were not because too many were; for metrics.
  [[nodiscard]] std::uint64_t total() const noexcept { return generation(); }
  [[nodiscard]] std::uint64_t refused() const noexcept {
    return refused_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::size_t ejected(MonoTime now) const;

 private:
  // Records that nobody keeps go when the table has doubled: each addition costs a constant.
  static constexpr std::size_t kSweepFirst = 16;

  [[nodiscard]] std::size_t count_ejected(MonoTime now) const;

  mutable std::mutex mutex_;
  std::unordered_map<model::EndpointId, std::weak_ptr<FailureRecord>> records_;
  std::size_t sweep_at_ = kSweepFirst;
  std::atomic<std::uint64_t> generation_{0};
  std::atomic<std::uint64_t> refused_{0};
};

}  // namespace aquifer::waypoint
