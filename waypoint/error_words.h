// What the log says of a failed upstream connection.
#pragma once

#include "common/base/result.h"

#include <string>

namespace aquifer::waypoint {

/// "connecting: Connection refused (os error 111)"; for a tunnel that was refused, what the
/// destination's proxy meant by its status.
[[nodiscard]] std::string words_of(const Error& error);

}  // namespace aquifer::waypoint
