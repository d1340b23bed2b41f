// When has an endpoint failed once too often? Counts outcomes in a row, as Envoy's consecutive
// detectors. Any thread: the counters are shared by all loops.
#pragma once

#include "config/model/l7/cluster.h"
#include "waypoint/upstream/ejections.h"
#include "waypoint/upstream/endpoint.h"

namespace aquifer::waypoint {

/// Notes how a request ended. True: a limit is reached, and the endpoint should be left out.
[[nodiscard]] bool note_outcome(const l7::OutlierDetection& rules, FailureRecord& record,
                                Outcome outcome, int status) noexcept;

}  // namespace aquifer::waypoint
