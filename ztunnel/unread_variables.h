// Environment variables of Istio's ztunnel that this program does not act on. Whoever moves from it
// is told so at start, one line a variable, instead of finding out.
#pragma once

#include "ztunnel/settings.h"

#include <string>
#include <vector>

namespace aquifer::ztunnel {

/// One line for each such variable that is set to something other than what holds here anyway:
/// "CRL_PATH=/etc/crl.pem has no effect: revoked certificates are accepted".
[[nodiscard]] std::vector<std::string> unread_variables(const Environment& environment);

}  // namespace aquifer::ztunnel
