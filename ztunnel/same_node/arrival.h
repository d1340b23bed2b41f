// A connection from another pod of this node, at the destination: what Inbound::serve_connect is
// for one that comes through a tunnel, with the same questions in the same order. On the
// destination's loop.
#pragma once

#include "ztunnel/pod_context.h"
#include "ztunnel/same_node/handover.h"

namespace aquifer::ztunnel {

/// From the call to the connection's end. To be spawned among the pod's connections.
[[nodiscard]] coro::Task<void> serve_handover(PodContext& pod, HandoverPtr handover);

}  // namespace aquifer::ztunnel
