// The address of a workload that has only a host name, asked for each connection. On the pod's
// loop; waits for DNS and blocks nobody.
#pragma once

#include "common/base/address.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "common/coro/task.h"
#include "ztunnel/pod_context.h"

#include <string>

namespace aquifer::ztunnel {

/// One of the host's addresses, any of them: of the family of `like` if it has such a one. Errors:
/// not_found, timed_out.
[[nodiscard]] coro::Task<Result<IpAddress>> look_up_host(PodContext& pod, std::string host,
                                                         IpAddress like, Deadline deadline);

}  // namespace aquifer::ztunnel
