// Fault injection: requests that wait, and requests that fail, on purpose.
#pragma once

#include "common/coro/cancel.h"
#include "common/coro/task.h"
#include "common/io/loop.h"
#include "config/model/l7/route.h"
#include "waypoint/filters/context.h"

#include <optional>

namespace aquifer::waypoint {

/// Waits if this request is to be delayed, then gives the answer if it is to fail. `context` and
/// `fault` outlive the task.
[[nodiscard]] coro::Task<std::optional<LocalReply>> inject_fault(io::Loop& loop,
                                                                 FilterContext& context,
                                                                 const l7::Fault& fault,
                                                                 coro::CancelSource* cancel);

}  // namespace aquifer::waypoint
