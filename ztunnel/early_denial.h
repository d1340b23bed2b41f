// Connections that are turned away before anything but their addresses is known: one short line,
// and a place among the pod's refusals.
#pragma once

#include "common/telemetry/access_log.h"
#include "ztunnel/pod_context.h"

#include <string>

namespace aquifer::ztunnel {

void deny_early(PodContext& pod, telemetry::Direction direction, const SocketAddress& from,
                const SocketAddress& to, std::string error);

}  // namespace aquifer::ztunnel
