// The page at `/` of the admin port: what is wrong right now, then what there is. One document that
// needs nothing from elsewhere and no script. A pure function of values.
#pragma once

#include "config/ca/cert_manager.h"
#include "config/manifests/diagnostic.h"
#include "config/model/snapshot.h"
#include "ztunnel/flow_survey.h"
#include "ztunnel/pod_supervisor.h"

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace aquifer::ztunnel {

struct Dashboard {
  model::SnapshotPtr mesh;
  std::string node;
  std::string version;
  std::vector<PodStatus> pods;
  std::vector<ca::CertStatus> certificates;
  std::vector<manifests::Diagnostic> warnings;
  std::string refusal;  ///< why the newest files are not in force, one line each
  Survey connections;
  Survey refusals;
  std::chrono::system_clock::time_point now;
  // What the reader asked for.
  std::string wanted;  ///< part of a namespace, a name or an address; empty: everything
  std::size_t workloads_page = 0;
  std::size_t services_page = 0;

  /// Rows of one table: what a person scrolls through, and a browser draws at once.
  static constexpr std::size_t kRowsMax = 100;
};

[[nodiscard]] std::string dashboard_page(const Dashboard& dashboard);

}  // namespace aquifer::ztunnel
