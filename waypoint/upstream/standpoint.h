// Where a waypoint is: locality-aware balancing compares endpoints with it. A plain value.
#pragma once

#include "config/model/workload.h"

#include <string>

namespace aquifer::waypoint {

struct Standpoint {
  std::string network = {};
  model::Locality locality = {};
  std::string node = {};
  std::string cluster_id = {};
  friend bool operator==(const Standpoint&, const Standpoint&) = default;
};

}  // namespace aquifer::waypoint
