// Learns what the destination of an outbound connection is called: from the pod's DNS answers, and
// from its ClientHello. On the pod's loop.
#pragma once

#include "common/io/socket_stream.h"
#include "ztunnel/connection.h"
#include "ztunnel/pod_context.h"

#include <memory>

namespace aquifer::ztunnel {

/// What the pod has resolved to `address`; null when nothing.
[[nodiscard]] std::shared_ptr<const DestinationNames> resolved_names(const PodContext& pod,
                                                                     const IpAddress& address);

/// Waits for the client's ClientHello, within kServerNameTimeout, and adds its server name to
/// `facts.names`; without one in time nothing is added. What was read is given to the next reader.
/// False: the connection failed meanwhile, or was cut.
[[nodiscard]] coro::Task<bool> learn_server_name(PodContext& pod, io::SocketStream& client,
                                                 ConnectionFacts& facts);

}  // namespace aquifer::ztunnel
