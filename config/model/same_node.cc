#include "config/model/same_node.h"

#include <algorithm>

namespace aquifer::model {

bool may_stay_on_node(const Workload& source, const ResolvedTarget& target) noexcept {
  // A waypoint is no captured pod: it ends its tunnels itself.
  if (target.path != Path::hbone || target.via != Via::nobody) return false;
  if (!target.unresolved_host.empty() || target.workload == nullptr) return false;
  const Workload& there = *target.workload;
  if (there.capture != Capture::yes || there.network_mode != NetworkMode::standard) return false;
  if (there.node.empty() || there.node != source.node || there.network != source.network)
    return false;
  return std::ranges::find(target.expected_identities, there.identity) !=
         target.expected_identities.end();
}

}  // namespace aquifer::model
