// Whether a connection may stay inside its node's proxy: a pure decision, shared by the data path
// and `explain`.
#pragma once

#include "config/model/resolved_target.h"
#include "config/model/workload.h"

namespace aquifer::model {

/// True exactly when `target` is a tunnel straight to a pod that the source's own node captures,
/// and that has the identity which may answer there: both ends' proxy is then the same process,
/// and the bytes need neither encryption nor a second TCP connection. Whether they may take that
/// way is also the network's to say.
[[nodiscard]] bool may_stay_on_node(const Workload& source, const ResolvedTarget& target) noexcept;

}  // namespace aquifer::model
