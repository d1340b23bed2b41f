// The label sets of the waypoint's traffic metrics: Istio's, in Istio's order, as a waypoint
// reports them. Pure.
#pragma once

#include "common/telemetry/metrics.h"
#include "waypoint/request_record.h"

#include <string>

namespace aquifer::waypoint {

/// `{reporter="waypoint",...}` of a request, with its protocol and status.
[[nodiscard]] std::string request_labels(const RequestRecord& record);
/// The same of a connection that is passed through.
[[nodiscard]] std::string connection_labels(const RequestRecord& record);
/// What the series that come too late are counted under.
[[nodiscard]] std::string overflow_labels();
/// The two workloads that such a series speaks of.
[[nodiscard]] telemetry::SeriesOwners owners_of(const RequestRecord& record);

}  // namespace aquifer::waypoint
