// What the loops of a node share about connections that stay on it: counters, and the probes that
// are under way, so that a pod's proxy does not take one for a failed tunnel. Any thread.
#pragma once

#include "common/base/address.h"
#include "common/telemetry/metrics.h"

#include <deque>
#include <mutex>
#include <unordered_set>

namespace aquifer::ztunnel {

class SameNode {
 public:
  explicit SameNode(telemetry::Registry& registry);
  SameNode(const SameNode&) = delete;
  SameNode& operator=(const SameNode&) = delete;

  /// A connection to a tunnel's port, made from `from`, only shows that the network carries it:
  /// nothing follows. To be said before it is closed.
  void announce_probe(const SocketAddress& from);
  /// Was the connection that came from there such a one? Asked once for each.
  [[nodiscard]] bool take_probe(const SocketAddress& from);

  telemetry::Counter connections;  ///< handed over
  telemetry::Counter fallbacks;    ///< taken by the tunnel after all
  telemetry::Counter probes_made;
  telemetry::Counter probes_failed;
  telemetry::Counter cut;  ///< open ones that the network does not carry any more

 private:
  std::mutex mutex_;
  std::unordered_set<SocketAddress> probes_;
  std::deque<SocketAddress> order_;  // in which they were announced, the taken ones included
};

}  // namespace aquifer::ztunnel
