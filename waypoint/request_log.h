// The access log of the waypoint: one line for each request, and for each connection that was
// passed through, in Envoy's default format as Istio configures it, or as JSON with Istio's field
// names. Formatted on the log's thread; the loop only gives the record away.
#pragma once

#include "common/base/log_fields.h"
#include "common/base/time.h"
#include "common/telemetry/access_filter.h"
#include "waypoint/request_record.h"

#include <string>
#include <string_view>

namespace aquifer::waypoint {

/// True exactly when the access log is written at all.
[[nodiscard]] bool request_log_enabled() noexcept;

/// Writes the line if the filters take it; the record is used up then. `took` is the whole time.
void log_request(RequestRecord&& record, Duration took);

/// How it counts for AQUIFER_ACCESS_LOG: refused by a policy, failed (with a flag, or 5xx), well.
[[nodiscard]] telemetry::Outcome outcome_of(const RequestRecord& record) noexcept;
/// The namespace that AQUIFER_ACCESS_LOG asks for: that of the service or workload wanted.
[[nodiscard]] std::string_view namespace_of(const RequestRecord& record) noexcept;

/// One whole line, without its end.
void append_text(std::string& out, const RequestRecord& record, Duration took);
void append_json(std::string& out, const RequestRecord& record, Duration took);

}  // namespace aquifer::waypoint
