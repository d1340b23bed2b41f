// On which loop a request is served. Requests of one connection may go to different loops: one
// client with a hundred streams then uses all cores.
#pragma once

#include "common/coro/cancel.h"
#include "common/coro/task.h"
#include "common/http/stream.h"
#include "waypoint/downstream.h"

#include <memory>

namespace aquifer::waypoint {

struct Worker;

/// Serves one request whose head has come, here or on the least busy loop; completes when the
/// request was answered or thrown away. `worker` is the client's, whose loop this runs on.
[[nodiscard]] coro::Task<void> serve_request(Worker& worker, DownstreamPtr downstream,
                                             std::unique_ptr<http::ServerStream> stream,
                                             coro::CancelSource* cancel);

/// The loop for the next request; `worker` itself unless another has clearly less to do.
[[nodiscard]] Worker& choose_worker(Worker& worker) noexcept;

}  // namespace aquifer::waypoint
