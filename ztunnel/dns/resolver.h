// On-demand resolution: what the proxy itself must know of a host name, asked from inside a pod's
// namespace by the same upstream code that forwards the pod's own queries. On the pod's loop.
#pragma once

#include "common/base/address.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "common/coro/cancel.h"
#include "common/coro/task.h"

#include <cstdint>
#include <string>
#include <vector>

namespace aquifer::ztunnel::dns {

class HostCache;
class Upstream;

/// Which addresses the caller can use.
enum class Families : std::uint8_t { v4, v6, both };

/// The addresses of `host`, in the order of the answer, IPv4 first. not_found when it has none of
/// these families; timed_out, io and the like when no upstream server could be asked, also at
/// `deadline`.
[[nodiscard]] coro::Task<Result<std::vector<IpAddress>>> resolve_host(
    Upstream& upstream, HostCache& cache, std::string host, Families families, Deadline deadline,
    coro::CancelSource* cancel = nullptr);

}  // namespace aquifer::ztunnel::dns
