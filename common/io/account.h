// Whose cost it is. Every accepted socket, dial, queue and tunnel carries the account of its pod.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace aquifer::io {

/// Somebody who queues bytes for an account and can throw some away.
class QueueOwner {
 public:
  /// Bytes of its largest queue; 0 when all are empty.
  [[nodiscard]] virtual std::size_t largest_queue() noexcept = 0;
  /// Ends whatever waits on that queue and frees its bytes.
  virtual void shed_largest() noexcept = 0;

 protected:
  ~QueueOwner() = default;
};

/// Counters of one pod, owned by the pod's loop and touched by no other thread. Outlives everything
/// charged to it.
struct Account {
  std::string name;                    ///< NAMESPACE/POD, for people
  std::uint64_t queued_bytes = 0;      ///< received from tunnels, not yet taken by an application
  std::uint64_t queued_bytes_max = 0;  ///< 0: no limit. Past it the largest stalled stream is reset
  std::vector<QueueOwner*> queue_owners;

  /// Past its budget, the account gives up its largest queues until it is within it again.
  void enforce_budget() {
    while (queued_bytes_max != 0 && queued_bytes > queued_bytes_max) {
      const auto largest = std::ranges::max_element(queue_owners, {}, &QueueOwner::largest_queue);
      if (largest == queue_owners.end() || (*largest)->largest_queue() == 0) return;
      (*largest)->shed_largest();
    }
  }
};

}  // namespace aquifer::io
