// One endpoint of a cluster as one loop sees it: where it is, how busy this loop keeps it, and how
// it has done. On the cluster's loop.
#pragma once

#include "common/base/address.h"
#include "common/base/time.h"
#include "config/model/service.h"
#include "config/model/workload.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace aquifer::waypoint {

class Cluster;
struct EndpointConnections;

/// How a request to an endpoint ended, for balancers and outlier detection.
enum class Outcome : std::uint8_t {
  answered,        ///< with a status
  connect_failed,  ///< no connection, or a refused tunnel
  reset,           ///< the connection or stream broke before the answer's end
  timed_out,       ///< of the try or the whole request
  cancelled,       ///< the client went away: says nothing of the endpoint
};

/// Kept by its cluster, and by whoever still has a request there.
struct Endpoint {
  /// Never null.
  model::WorkloadPtr workload;
  /// The application's own address and port; only the port counts while `workload` has a host name
  /// and no address.
  SocketAddress address;
  model::EndpointId id = 0;
  std::uint32_t weight = 1;

  // This loop's view.
  std::uint32_t active = 0;  ///< requests under way
  /// Exponentially weighted mean of latencies in nanoseconds, and when it was last told.
  double latency_ewma = 0;
  MonoTime latency_told{};
  /// When it became part of the cluster: slow start.
  MonoTime since{};
  /// This loop's open connections to it (pool.h); null before the first.
  std::shared_ptr<EndpointConnections> connections;
};

using EndpointPtr = std::shared_ptr<Endpoint>;

/// A request's place at an endpoint: counted as active while it lives. Told its outcome once, by
/// done(); without, it was cancelled. On one loop.
class Lease {
 public:
  Lease() noexcept = default;
  Lease(std::shared_ptr<Cluster> cluster, EndpointPtr endpoint, MonoTime now) noexcept;
  Lease(Lease&& other) noexcept;
  Lease& operator=(Lease&& other) noexcept;
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  ~Lease();

  [[nodiscard]] explicit operator bool() const noexcept { return endpoint_ != nullptr; }
  [[nodiscard]] const Endpoint& endpoint() const noexcept { return *endpoint_; }
  [[nodiscard]] const EndpointPtr& pointer() const noexcept { return endpoint_; }
  /// `status` with Outcome::answered; for gRPC, what its grpc-status maps to.
  void done(MonoTime now, Outcome outcome, int status = 0);

 private:
  std::shared_ptr<Cluster> cluster_;
  EndpointPtr endpoint_;
  MonoTime began_{};
};

}  // namespace aquifer::waypoint
