// One endpoint of a cluster as one loop sees it: where it is, how busy this loop keeps it, and how
// it has done. On the cluster's loop.
#pragma once

#include "common/base/address.h"
#include "common/base/time.h"
#include "config/model/service.h"
#include "config/model/workload.h"

#include <cstdint>
#include <memory>

namespace aquifer::waypoint {

class Cluster;
struct EndpointConnections;
struct FailureRecord;

/// How a request to an endpoint ended, for balancers and outlier detection.
enum class Outcome : std::uint8_t {
  answered,        ///< with a status
  connect_failed,  ///< no connection, or a refused tunnel
  reset,           ///< the connection or stream broke before the answer's end
  timed_out,       ///< of the try or the whole request
  cancelled,       ///< the client went away: says nothing of the endpoint
};

/// Kept by its cluster, and by whoever still has a request there. What says where it is never
/// changes: when the mesh moves it, the cluster makes a successor that takes over what was learned.
struct Endpoint : std::enable_shared_from_this<Endpoint> {
  /// Never null.
  model::WorkloadPtr workload;
  /// The application's own address and port; only the port counts while `workload` has a host name
  /// and no address.
  SocketAddress address;
  model::EndpointId id = 0;
  /// Names it in the same way in every replica and after every restart: of the workload's uid and
  /// the port. Consistent hashing and sessions go by it.
  std::uint64_t stable_id = 0;
  std::uint32_t weight = 1;
  /// As the mesh says. One that is not ready counts as a sick member of its locality, no more.
  bool ready = true;
  /// May be chosen now: ready and not left out, or health is ignored (panic).
  bool usable = true;

  // This loop's view.
  std::uint32_t active = 0;  ///< requests under way
  /// Exponentially weighted mean of latencies in nanoseconds, and when it was last told.
  double latency_ewma = 0;
  MonoTime latency_told{};
  /// When it joined its cluster or became ready: slow start. The minimum: it was always there.
  MonoTime since = MonoTime::min();

  /// This loop's open connections to it (pool.h); null before the first.
  std::shared_ptr<EndpointConnections> connections;

  /// All loops' view of its failures; null without outlier detection.
  std::shared_ptr<FailureRecord> failures;
  /// What took its place in the cluster; counts this one's requests, too.
  std::shared_ptr<Endpoint> successor;
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
  /// The answer's head is here: latency counts to the first of these, or else to done(), so that a
  /// long download does not make an endpoint look slow.
  void answer_began(MonoTime now) noexcept;
  /// `status` with Outcome::answered; for gRPC, what its grpc-status maps to. Only the first call
  /// counts.
  void done(MonoTime now, Outcome outcome, int status = 0);

 private:
  void release() noexcept;

  std::shared_ptr<Cluster> cluster_;
  EndpointPtr endpoint_;
  MonoTime began_{};
  MonoTime answered_ = MonoTime::max();
  bool told_ = false;
};

}  // namespace aquifer::waypoint
