// What /config_dump shows: what the program was told and what it made of it. Control thread; sent
// in pieces, so that a large mesh is never whole in memory as text.
#pragma once

#include "common/admin/message.h"
#include "config/ca/cert_manager.h"
#include "config/model/snapshot.h"
#include "waypoint/cluster_view.h"
#include "waypoint/settings.h"
#include "waypoint/worker.h"

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace aquifer::waypoint {

struct DumpParts {
  model::SnapshotPtr mesh;
  SelfPtr self;
  std::vector<ca::CertStatus> certificates;
  ClusterViews clusters;           ///< those that are in use
  std::size_t silent_workers = 0;  ///< that did not say
  const Settings& settings;
  std::string refusal;  ///< why the newest files are not in force
};

[[nodiscard]] std::unique_ptr<admin::BodySource> config_dump_body(DumpParts parts);

}  // namespace aquifer::waypoint
