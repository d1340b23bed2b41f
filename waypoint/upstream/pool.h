// The HTTP connections of one loop to endpoints, kept from one request to the next. HTTP/1.1
// connections serve one request at a time, those of HTTP/2 many.
#pragma once

#include "common/coro/cancel.h"
#include "common/coro/scope.h"
#include "common/coro/task.h"
#include "common/coro/wait_list.h"
#include "common/http/stream.h"
#include "common/http1/client_connection.h"
#include "common/http2/client_connection.h"
#include "waypoint/upstream/circuit.h"
#include "waypoint/upstream/cluster.h"
#include "waypoint/upstream/endpoint.h"

#include <memory>
#include <vector>

namespace aquifer::waypoint {

class Connector;
class UpstreamPool;

struct Http1Held {
  explicit Http1Held(std::unique_ptr<io::ByteStream> stream, Permit counted, MonoTime now)
      : connection(std::move(stream)), permit(std::move(counted)), opened(now), idle_since(now) {}
  http1::ClientConnection connection;
  Permit permit;
  MonoTime opened;
  MonoTime idle_since;
};

struct Http2Held {
  Http2Held(io::Loop& loop, std::unique_ptr<io::ByteStream> stream, http2::ClientOptions options,
            Permit counted, MonoTime now)
      : connection(loop, std::move(stream), options),
        permit(std::move(counted)),
        opened(now),
        idle_since(now) {}
  http2::ClientConnection connection;
  Permit permit;
  MonoTime opened;
  MonoTime idle_since;
  std::uint64_t requests = 0;
};

/// What one loop has open to one endpoint; kept by the endpoint.
struct EndpointConnections {
  ~EndpointConnections();
  std::vector<std::unique_ptr<Http1Held>> idle;  ///< the last used at the back
  std::vector<std::shared_ptr<Http2Held>> shared;
  bool dialling = false;  ///< of HTTP/2: whoever comes meanwhile waits
  coro::WaitList changed;
  l7::PoolLimits limits;  ///< the cluster's, as of the last request
};

/// A request on an upstream connection. Gives an HTTP/1.1 connection back when it goes.
class Upstream {
 public:
  Upstream() noexcept = default;
  Upstream(Upstream&&) noexcept = default;
  Upstream& operator=(Upstream&&) noexcept;
  Upstream(const Upstream&) = delete;
  Upstream& operator=(const Upstream&) = delete;
  ~Upstream();

  [[nodiscard]] explicit operator bool() const noexcept { return stream_ != nullptr; }
  [[nodiscard]] http::ClientStream& stream() noexcept { return *stream_; }
  [[nodiscard]] bool is_http2() const noexcept { return http2_ != nullptr; }
  void release() noexcept;

 private:
  friend class UpstreamPool;
  UpstreamPool* pool_ = nullptr;
  std::shared_ptr<EndpointConnections> home_;
  std::unique_ptr<Http1Held> http1_;
  std::shared_ptr<Http2Held> http2_;
  std::unique_ptr<http::ClientStream> stream_;
};

class UpstreamPool {
 public:
  UpstreamPool(io::Loop& loop, Connector& connector);
  ~UpstreamPool();
  UpstreamPool(const UpstreamPool&) = delete;
  UpstreamPool& operator=(const UpstreamPool&) = delete;

  enum class Wire : std::uint8_t { http1, http2 };
  /// Sends the head over a connection that is there or a new one. `cluster` is kept alive by the
  /// caller's lease. Errors: of connecting; limit when a circuit is open.
  [[nodiscard]] coro::Task<Result<Upstream>> open(Cluster& cluster, EndpointPtr endpoint,
                                                  const http::RequestHead& head, http::End end,
                                                  Wire wire, coro::CancelSource* cancel);

  /// Ends what is idle, and lets the rest end with its last request.
  void drain();
  /// Ends everything, and waits until it has. Await before the destructor.
  [[nodiscard]] coro::Task<void> stop();

 private:
  friend class Upstream;
  coro::Task<Result<Upstream>> open_http1(Cluster& cluster, EndpointPtr endpoint,
                                          const http::RequestHead& head, http::End end,
                                          coro::CancelSource* cancel);
  coro::Task<Result<Upstream>> open_http2(Cluster& cluster, EndpointPtr endpoint,
                                          const http::RequestHead& head, http::End end,
                                          coro::CancelSource* cancel);
  coro::Task<Result<std::unique_ptr<io::ByteStream>>> dial(Cluster& cluster, EndpointPtr endpoint,
                                                           coro::CancelSource* cancel);
  coro::Task<void> run_http2(std::shared_ptr<Http2Held> held,
                             std::weak_ptr<EndpointConnections> home);
  coro::Task<void> reap();
  [[nodiscard]] std::shared_ptr<EndpointConnections> connections_of(Cluster& cluster,
                                                                    Endpoint& endpoint);
  void give_back(EndpointConnections& home, std::unique_ptr<Http1Held> held);

  io::Loop& loop_;
  Connector& connector_;
  std::vector<std::weak_ptr<EndpointConnections>> known_;
  bool draining_ = false;
  coro::Scope scope_;
};

}  // namespace aquifer::waypoint
