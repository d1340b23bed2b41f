// Failures in the peer's words: what the access log says of an error, and which flag the metrics
// carry.
#pragma once

#include "common/base/result.h"
#include "common/telemetry/traffic_labels.h"

#include <string>
#include <string_view>

namespace aquifer::ztunnel {

/// "connection failed: Connection refused (os error 111)", "http status: 401 Unauthorized", ...
[[nodiscard]] std::string error_text(const Error& error);

/// "Service Unavailable"; empty for a status without a name.
[[nodiscard]] std::string_view reason_of_status(int status) noexcept;

/// The response flag: `flag_of` of the error, and NETWORK_POLICY for a dial to the tunnel's port
/// that timed out.
[[nodiscard]] telemetry::ResponseFlag response_flag(const Error& error) noexcept;

/// The context of a dial to a tunnel's port that got no answer.
inline constexpr const char* kTunnelDialTimedOut =
    "connection timed out, maybe a NetworkPolicy is blocking HBONE port 15008: deadline has "
    "elapsed";

}  // namespace aquifer::ztunnel
