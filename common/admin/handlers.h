// The endpoints that both programs have, under the peer's paths. Registered at start; called on the
// control loop.
#pragma once

#include "common/admin/readiness.h"
#include "common/admin/router.h"
#include "common/base/log_filter.h"
#include "common/telemetry/access_filter.h"
#include "common/telemetry/metrics.h"

#include <functional>
#include <string>

namespace aquifer::admin {

/// `/healthz/ready`, for the readiness port.
void add_readiness(Router& router, const Readiness& readiness);

/// `/metrics` and `/stats/prometheus`, for the metrics port. `now` is the loop's clock, by which
/// unused series age.
void add_metrics(Router& router, telemetry::Registry& registry, std::function<MonoTime()> now);

/// `/logging`: POST shows the filters, `?level=LEVEL` or `?level=TARGET=LEVEL,...` adds to the
/// log's, `?access=CLAUSES` replaces the access log's, `?reset` goes back to those of the start
/// (and then does the rest).
void add_logging(Router& router, log::Filter at_start,
                 telemetry::AccessFilter access_at_start = {});

/// `/quitquitquit`: POST starts the graceful end by calling `quit`, which must not wait.
void add_quit(Router& router, std::function<void()> quit);

/// `/config_dump`: whatever `dump` says, which is JSON.
void add_config_dump(Router& router, std::function<std::string()> dump);

}  // namespace aquifer::admin
