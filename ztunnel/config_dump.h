// What /config_dump shows, under the peer's field names: what `istioctl ztunnel-config` reads.
// Control thread; sent in pieces, so that a large mesh is never whole in memory as text.
#pragma once

#include "common/admin/message.h"
#include "config/ca/cert_manager.h"
#include "config/model/snapshot.h"
#include "ztunnel/flow_survey.h"
#include "ztunnel/pod_supervisor.h"
#include "ztunnel/settings.h"

#include <nlohmann/json_fwd.hpp>

#include <memory>
#include <string>
#include <vector>

namespace aquifer::ztunnel {

struct DumpParts {
  model::SnapshotPtr mesh;
  std::vector<ca::CertStatus> certificates;
  std::vector<PodStatus> pods;
  Survey connections;
  const Settings& settings;
  std::string refusal;  ///< why the newest files are not in force
};

[[nodiscard]] std::unique_ptr<admin::BodySource> config_dump_body(DumpParts parts);

// Its parts, one object each.
[[nodiscard]] nlohmann::json workload_json(const model::Workload& workload);
[[nodiscard]] nlohmann::json service_json(const model::ServiceRecord& record);
/// By the pods' uids.
[[nodiscard]] nlohmann::json pods_json(const model::Snapshot& mesh,
                                       const std::vector<PodStatus>& pods,
                                       const std::vector<FlowEvent>& connections);
[[nodiscard]] nlohmann::json settings_json(const Settings& settings);

}  // namespace aquifer::ztunnel
