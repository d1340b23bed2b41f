// The variables of the environment that both programs read alike. For the start of a program.
#pragma once

#include "common/base/environment.h"
#include "common/base/log.h"
#include "common/telemetry/access_filter.h"
#include "common/tls/context.h"

namespace aquifer::admin {

/// RUST_LOG and LOG_FORMAT.
void read_log(EnvironmentReader& reader, log::LogOptions& options);
/// AQUIFER_ACCESS_LOG.
void read_access_log(EnvironmentReader& reader, telemetry::AccessFilter& filter);
/// COMPLIANCE_POLICY=pqc: refused where OpenSSL cannot do it, for without it nothing would be what
/// was asked for.
void read_compliance(EnvironmentReader& reader, tls::KeyExchange& exchange);

}  // namespace aquifer::admin
