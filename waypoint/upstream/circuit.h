// Circuit breaking: how much one cluster may have under way at once, counted for all loops
// together. Any thread.
#pragma once

#include "config/model/l7/cluster.h"
#include "waypoint/upstream/ejections.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

namespace aquifer::waypoint {

/// What the loops share of a cluster: how much it has under way, and who is left out.
struct CircuitCounters {
  std::atomic<std::uint32_t> connections{0};
  std::atomic<std::uint32_t> pending{0};
  std::atomic<std::uint32_t> requests{0};
  std::atomic<std::uint32_t> retries{0};
  /// Refusals so far, for metrics.
  std::atomic<std::uint64_t> overflows{0};
  Ejections ejections;
};

enum class CircuitKind : std::uint8_t { connection, pending, request, retry };

/// One of them, counted while it lives.
class Permit {
 public:
  Permit() noexcept = default;
  Permit(std::shared_ptr<CircuitCounters> counters, std::atomic<std::uint32_t>& counter) noexcept
      : counters_(std::move(counters)), counter_(&counter) {}
  Permit(Permit&& other) noexcept
      : counters_(std::move(other.counters_)), counter_(std::exchange(other.counter_, nullptr)) {}
  Permit& operator=(Permit&& other) noexcept {
    // What this one held is given back now, not when `other` ends.
    Permit taken(std::move(other));
    std::swap(counters_, taken.counters_);
    std::swap(counter_, taken.counter_);
    return *this;
  }
  Permit(const Permit&) = delete;
  Permit& operator=(const Permit&) = delete;
  ~Permit() {
    if (counter_ != nullptr) counter_->fetch_sub(1, std::memory_order_relaxed);
  }
  [[nodiscard]] explicit operator bool() const noexcept { return counter_ != nullptr; }

 private:
  std::shared_ptr<CircuitCounters> counters_;
  std::atomic<std::uint32_t>* counter_ = nullptr;
};

/// Takes one more of `kind` if the limits allow it; false: the circuit is open (flag UO).
[[nodiscard]] Permit try_permit(const std::shared_ptr<CircuitCounters>& counters,
                                const l7::PoolLimits& limits, CircuitKind kind);

/// How many retries may be under way beside `requests` and `pending` ones: the budget, but never
/// more than retries_max.
[[nodiscard]] std::uint32_t retries_allowed(const l7::PoolLimits& limits, std::uint32_t requests,
                                            std::uint32_t pending) noexcept;

/// The counters of all clusters, by key. One for the program.
class Circuits {
 public:
  [[nodiscard]] std::shared_ptr<CircuitCounters> of(const std::string& cluster_key);

  /// Of all clusters that are in use, for metrics.
  struct Totals {
    std::uint64_t connections = 0;
    std::size_t ejected = 0;
  };
  [[nodiscard]] Totals totals(MonoTime now);

 private:
  // Those of clusters that no loop has any more go when the table has doubled.
  static constexpr std::size_t kSweepFirst = 64;

  std::mutex mutex_;
  std::unordered_map<std::string, std::weak_ptr<CircuitCounters>> by_key_;
  std::size_t sweep_at_ = kSweepFirst;
};

}  // namespace aquifer::waypoint
