// The policy rule and the route that deliver the application's answers to a borrowed client address
// inside the pod: "packets marked 0x111 look in table 100, and there everything is local". By
// rtnetlink, so that an image needs no iproute2. Blocking: control thread only.
#pragma once

#include "common/io/netns.h"
#include "ztunnel/capture/capture_error.h"
#include "ztunnel/capture/rules.h"

#include <optional>
#include <string>

namespace aquifer::ztunnel {

/// Makes both be there, once. Refuses a namespace where the table has a default route of somebody
/// else's.
[[nodiscard]] CaptureStatus install_return_route(const io::NetworkNamespace& where, Family family);

/// Takes both out; neither being there is success.
[[nodiscard]] CaptureStatus remove_return_route(const io::NetworkNamespace& where, Family family);

/// Says in one sentence what is missing, or nothing when both are there.
[[nodiscard]] CaptureResult<std::optional<std::string>> return_route_difference(
    const io::NetworkNamespace& where, Family family);

}  // namespace aquifer::ztunnel
