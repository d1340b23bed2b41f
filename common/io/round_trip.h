// What the kernel knows of a TCP connection's path.
#pragma once

#include "common/base/time.h"

#include <optional>

namespace aquifer::io {

/// The shortest round trip that was seen; nothing when none was yet.
[[nodiscard]] std::optional<Duration> shortest_round_trip(int fd) noexcept;

}  // namespace aquifer::io
