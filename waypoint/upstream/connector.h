// Opens a byte stream to an endpoint: through a tunnel with the waypoint's own identity where the
// endpoint takes one, else plain TCP. On its worker's loop.
#pragma once

#include "common/coro/cancel.h"
#include "common/coro/task.h"
#include "common/hbone/pool.h"
#include "common/io/byte_stream.h"
#include "waypoint/downstream.h"
#include "waypoint/upstream/endpoint.h"

#include <memory>
#include <string>

namespace aquifer::waypoint {

struct Worker;

class Connector final : hbone::TunnelDialer {
 public:
  explicit Connector(Worker& worker);

  /// `service` is the host name that the destination's telemetry is told. Errors: of connecting;
  /// identity when nobody is expected at the end of a tunnel; http_status when the destination's
  /// proxy refuses (401: its policy does not let this waypoint in).
  [[nodiscard]] coro::Task<Result<std::unique_ptr<io::ByteStream>>> connect(
      EndpointPtr endpoint, std::string service, Deadline deadline, coro::CancelSource* cancel);

  [[nodiscard]] hbone::Pool& tunnels() noexcept { return tunnels_; }

 private:
  coro::Task<Result<std::unique_ptr<hbone::Tunnel>>> dial(hbone::PoolKey key, Deadline deadline,
                                                          coro::CancelSource* cancel) override;
  coro::Task<Result<std::unique_ptr<io::Socket>>> connect_socket(SocketAddress to,
                                                                 Deadline deadline,
                                                                 coro::CancelSource* cancel);

  Worker& worker_;
  hbone::Pool tunnels_;
};

}  // namespace aquifer::waypoint
