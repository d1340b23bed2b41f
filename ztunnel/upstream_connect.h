// From a decision to somebody who answers: one connection of a pod tries the endpoints that there
// are, within limits, until one has taken it. On the pod's loop.
//
// The client's bytes are not read before that as long as another endpoint might get them: what it
// sends early waits in its own socket, where the receive window bounds it. Only where no other is
// left, and nobody stands between, do they go with the CONNECT (hbone::EarlyData); a peer that may
// have seen them is the last that is tried, since they must not be said twice. Once an endpoint has
// answered (200, or the end of a TCP handshake) no other is tried.
#pragma once

#include "common/hbone/pool.h"
#include "config/model/resolve.h"
#include "ztunnel/connection.h"
#include "ztunnel/judge.h"
#include "ztunnel/pod_context.h"
#include "ztunnel/same_node/short_cuts.h"

#include <expected>
#include <memory>
#include <string>

namespace aquifer::ztunnel {

/// One outbound connection between its acceptance and its first byte.
struct OutboundCall {
  /// The one snapshot that everything is decided with.
  model::SnapshotPtr snapshot;
  model::WorkloadPtr source;
  SocketAddress client;
  OriginalDst wanted;
  /// Where it goes now; another endpoint replaces it, and `facts` with it.
  model::ResolvedTarget target;
  ConnectionFacts facts;
};

/// What the log and the metrics say of a connection to `target`.
[[nodiscard]] ConnectionFacts outbound_facts(
    const model::ResolvedTarget& target, const model::WorkloadPtr& source,
    const SocketAddress& client, const OriginalDst& wanted,
    telemetry::Transport transport = telemetry::Transport::network);

/// A stream to whoever took it, or why nobody did.
using Connected = std::expected<std::unique_ptr<io::ByteStream>, Refusal>;

class UpstreamConnector {
 public:
  /// All three outlive it.
  UpstreamConnector(PodContext& pod, hbone::Pool& pool, ShortCuts& short_cuts) noexcept
      : pod_(pod), pool_(pool), short_cuts_(short_cuts) {}
  UpstreamConnector(const UpstreamConnector&) = delete;
  UpstreamConnector& operator=(const UpstreamConnector&) = delete;

  /// What is known of the call with its present target; its names are looked up elsewhere.
  [[nodiscard]] ConnectionFacts facts_of(const OutboundCall& call) const;
  /// Tries `call.target`, then other endpoints. `call` and `live` name the one that answered, or
  /// the last that was tried; both outlive the call.
  /// `early` (may be null) may be given to the last of them.
  [[nodiscard]] coro::Task<Connected> connect(OutboundCall& call, LiveConnection& live,
                                              hbone::EarlyData* early);

 private:
  /// A tunnel whose dial is refused: may its node be about to listen, or is there somebody else?
  enum class Refusals : std::uint8_t { wait, leave };

  /// Completes the target's address where only a host name was known.
  coro::Task<Status> find_address(OutboundCall& call, LiveConnection& live, Deadline deadline);
  /// One endpoint: inside the node if that may be, else over the network.
  coro::Task<Result<std::unique_ptr<io::ByteStream>>> reach(OutboundCall& call,
                                                            LiveConnection& live, Deadline deadline,
                                                            Refusals refusals,
                                                            hbone::EarlyData* early);
  /// One endpoint, as often as it takes to know that it does not answer.
  coro::Task<Result<std::unique_ptr<io::ByteStream>>> try_endpoint(const OutboundCall& call,
                                                                   Deadline deadline,
                                                                   Refusals refusals,
                                                                   hbone::EarlyData* early);
  coro::Task<Result<std::unique_ptr<io::ByteStream>>> open_stream(const OutboundCall& call,
                                                                  Deadline deadline,
                                                                  hbone::EarlyData* early);

  PodContext& pod_;
  hbone::Pool& pool_;
  ShortCuts& short_cuts_;
};

}  // namespace aquifer::ztunnel
