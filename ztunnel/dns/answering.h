// Answering: one query of the pod, from its arrival to the bytes that are sent back. It knows
// nothing of sockets: the UDP and the TCP server bring queries and carry answers. On the pod's
// loop.
#pragma once

#include "common/base/address.h"
#include "common/base/time.h"
#include "common/coro/cancel.h"
#include "common/coro/task.h"
#include "config/model/snapshot.h"
#include "ztunnel/dns/decide.h"
#include "ztunnel/dns/dns_metrics.h"
#include "ztunnel/dns/host_cache.h"
#include "ztunnel/dns/query.h"
#include "ztunnel/dns/upstream.h"

#include <functional>
#include <optional>
#include <random>
#include <string_view>

namespace aquifer::ztunnel::dns {

/// The pod was told that `host` (canonical) has this address, for so long.
using Learn = std::function<void(std::string_view host, const IpAddress& address, Duration ttl)>;

/// One query as it came.
struct Arrival {
  Transport transport = Transport::udp;
  SocketAddress client;
  Message bytes;
  MonoTime at;
};

class Answering {
 public:
  struct Parts {
    Upstream& upstream;
    HostCache& hosts;
    /// Where the newest mesh and the newest record of the pod stand; neither is ever null.
    const model::SnapshotPtr& mesh;
    const model::WorkloadPtr& pod;
    Metrics& metrics;
    std::mt19937_64& random;
    DecideOptions options;
    Learn learn;
  };
  explicit Answering(Parts parts) : parts_(std::move(parts)), metrics_(parts_.metrics) {}
  Answering(const Answering&) = delete;
  Answering& operator=(const Answering&) = delete;

  /// The response, if it can be given without asking anybody; an empty one when nobody is to be
  /// answered. Nothing: it takes by_upstream().
  [[nodiscard]] std::optional<Message> at_once(const Arrival& arrival);

  /// The response of a server outside, or SERVFAIL when none could be asked. Empty when `cancel`
  /// asked for the end.
  [[nodiscard]] coro::Task<Message> by_upstream(Arrival arrival, coro::CancelSource* cancel);

  [[nodiscard]] io::Loop& loop() const noexcept { return parts_.upstream.loop(); }

 private:
  [[nodiscard]] QueryMetrics& metrics_of(const Query& query, Transport transport);
  [[nodiscard]] Message refuse(const Arrival& arrival, const Query& query, Rcode rcode,
                               std::string_view why);
  [[nodiscard]] std::optional<OwnAnswer> decide_for(const Query& query);
  coro::Task<Message> by_alias(Arrival arrival, OwnAnswer own, coro::CancelSource* cancel);
  [[nodiscard]] Message answer(const Arrival& arrival, const Query& query, const OwnAnswer& own);
  void learn_own(const Query& query, const OwnAnswer& own) const;
  void learn_forwarded(const Query& query, ByteView response) const;
  void log(const Arrival& arrival, const Query& query, ByteView response, std::string_view service,
           std::string_view error) const;

  Parts parts_;
  PodMetrics metrics_;
};

}  // namespace aquifer::ztunnel::dns
