// /config_dump: what the proxy knows, as JSON with the peer's field names. Pure functions.
#pragma once

#include "config/model/snapshot.h"
#include "ztunnel/pod_supervisor.h"
#include "ztunnel/settings.h"

#include <nlohmann/json_fwd.hpp>

#include <vector>

namespace aquifer::ztunnel {

/// {workloads, services, policies, stagedServices}
[[nodiscard]] nlohmann::json mesh_json(const model::Snapshot& snapshot);
/// {uid: {state, info, why}}
[[nodiscard]] nlohmann::json pods_json(const std::vector<PodStatus>& pods);
[[nodiscard]] nlohmann::json settings_json(const Settings& settings);

}  // namespace aquifer::ztunnel
