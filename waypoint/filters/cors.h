// Cross-origin resource sharing (Fetch standard, section 3.2), for routes that ask for it.
#pragma once

#include "config/model/l7/route.h"
#include "waypoint/filters/context.h"

#include <optional>

namespace aquifer::waypoint {

/// Answers a preflight, or says in `context.answer_fields` what the browser may do with the answer.
[[nodiscard]] std::optional<LocalReply> apply_cors(FilterContext& context, const l7::Cors& cors);

}  // namespace aquifer::waypoint
