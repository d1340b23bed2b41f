#include "ztunnel/same_node/node_wide.h"

namespace aquifer::ztunnel {
namespace {

// Probes that are remembered. Each is taken within milliseconds, or never, if its reset came before
// it was accepted: those are forgotten in the order they came. More within one loop's turn would
// only cost a line in the log.
constexpr std::size_t kProbesMax = 4096;

}  // namespace

SameNode::SameNode(telemetry::Registry& registry) {
  connections = registry.counter(
      "aquifer_same_node_connections",
      "Connections between two pods of this node that were handed over inside the proxy.");
  fallbacks = registry.counter(
      "aquifer_same_node_fallbacks",
      "Connections between two pods of this node that went through a tunnel after all.");
  probes_made = registry.counter("aquifer_same_node_probes",
                                 "TCP connections made to see whether the network carries them.");
  probes_failed =
      registry.counter("aquifer_same_node_probes_failed", "Those of them that did not succeed.");
  cut = registry.counter("aquifer_same_node_cut",
                         "Open same-node connections that ended because the network no longer "
                         "carries a connection between their pods.");
}

void SameNode::announce_probe(const SocketAddress& from) {
  const std::lock_guard lock(mutex_);
  if (order_.size() >= kProbesMax) {
    probes_.erase(order_.front());
    order_.pop_front();
  }
  probes_.insert(from);
  order_.push_back(from);
}

bool SameNode::take_probe(const SocketAddress& from) {
  const std::lock_guard lock(mutex_);
  return probes_.erase(from) > 0;
}

}  // namespace aquifer::ztunnel
