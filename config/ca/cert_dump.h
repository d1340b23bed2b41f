// The certificates part of /config_dump, with the peer's field names. Private keys are not in it.
#pragma once

#include "config/ca/cert_manager.h"

#include <nlohmann/json_fwd.hpp>

#include <vector>

namespace aquifer::ca {

/// [{identity, state, certChain: [{pem, serialNumber, validFrom, expirationTime}], rootCerts:
/// [...]}]; `pem` is the base64 of the PEM text, times are RFC 3339 in UTC, state is
/// "Initializing", "Available" or "Unavailable: WHY".
[[nodiscard]] nlohmann::json certificates_json(const std::vector<CertStatus>& statuses);

}  // namespace aquifer::ca
