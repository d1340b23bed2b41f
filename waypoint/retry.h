// Whether a try that failed is followed by another, and after what pause. Pure.
#pragma once

#include "common/base/time.h"
#include "config/model/l7/route.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace aquifer::waypoint {

/// How one try ended.
struct TryEnd {
  enum class Kind : std::uint8_t {
    answered,
    connect_failed,  ///< nothing of the request left
    refused,         ///< REFUSED_STREAM, or a kept connection that was closed: never looked at
    reset,           ///< broken before the answer's head
    timed_out,       ///< of the try
    overflow,        ///< a circuit is open: not tried at all
  };
  Kind kind = Kind::answered;
  int status = 0;  ///< of an answer
  /// Of an answer that is gRPC and has nothing but a head.
  std::optional<int> grpc_status;
};

/// True exactly when the policy wants another try of such an end, however many there were.
[[nodiscard]] bool wants_retry(const l7::RetryPolicy& policy, std::string_view method,
                               const TryEnd& end) noexcept;

/// Before the `number`-th retry, from 1 on. `random` spreads it.
[[nodiscard]] Duration retry_pause(const l7::RetryPolicy& policy, std::uint32_t number,
                                   std::uint64_t random) noexcept;

}  // namespace aquifer::waypoint
