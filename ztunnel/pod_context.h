// One captured pod as its connections see it: who it is, where its namespace is, and how sockets
// are made there. On the pod's loop.
#pragma once

#include "common/coro/scope.h"
#include "common/io/account.h"
#include "common/io/netns.h"
#include "common/io/socket_stream.h"
#include "config/model/avoided_endpoints.h"
#include "config/model/workload.h"
#include "ztunnel/dns/host_cache.h"
#include "ztunnel/dns/upstream.h"
#include "ztunnel/live_connection.h"
#include "ztunnel/pod_meter.h"
#include "ztunnel/resolved_names.h"
#include "ztunnel/worker.h"

#include <memory>
#include <optional>

namespace aquifer::ztunnel {

/// May sockets of this pod take the client's address (IP_TRANSPARENT)?
enum class Transparency : std::uint8_t { off, on };

struct PodContext {
  PodContext(Worker& w, model::WorkloadPtr workload,
             std::shared_ptr<const io::NetworkNamespace> netns, Transparency transparency)
      : worker(w),
        pod(std::move(workload)),
        space(std::move(netns)),
        transparent(transparency),
        upstream_dns({w.loop, *space, w.node.settings.packet_mark, w.dns_servers}),
        flows(w.loop, w.journal),
        kinds(w.loop, w.node.traffic),
        live(w.loop, w.node.traffic, flows, connections),
        meter(w.node.pods.resolve(pod->ns, pod->name, w.node.settings.node), account, live) {
    account.name = pod->ns + "/" + pod->name;
    account.queued_bytes_max = w.node.settings.pod_queue_bytes_max;
  }

  Worker& worker;
  /// The newest record: replaced when the mesh changes it. A connection keeps the one it began
  /// with.
  model::WorkloadPtr pod;
  std::shared_ptr<const io::NetworkNamespace> space;
  Transparency transparent;
  io::Account account;
  /// Asks DNS servers from inside the pod: for the pod's own queries, and with `hosts` for what the
  /// proxy must know of a name itself (dns::resolve_host).
  dns::Upstream upstream_dns;
  dns::HostCache hosts;
  /// What the pod's DNS answers said, for policies that speak of host names.
  ResolvedNames resolved_names;
  /// What its connections did.
  PodFlows flows;
  /// What the pod's connections learned of endpoints that fail. Not shared with other pods: one can
  /// make its own connections fail, and must harm nobody but itself.
  model::AvoidedEndpoints avoided;
  /// What they have in common.
  ConnectionKinds kinds;
  /// Those of them whose context is known; each runs in `connections`.
  LiveConnections live;
  /// What it costs. All of its coroutines have ended before it goes.
  PodMeter meter;
  /// Every connection of the pod; cancelling it cuts them.
  coro::Scope connections;

  /// A TCP socket in the pod's namespace, marked as the proxy's own, non-blocking, tuned.
  [[nodiscard]] Result<Fd> tcp_socket(const IpAddress& towards) const;
};

/// Where the client's own packets go: through a tunnel, or (plaintext) to the same address and port
/// as ours.
enum class ClientPackets : std::uint8_t { elsewhere, same_place };

/// Connects to an application, or to a destination outside the mesh, from the pod's namespace. With
/// `as`, the application sees that address as its client's. The socket is the caller's to destroy.
[[nodiscard]] coro::Task<Result<std::unique_ptr<io::SocketStream>>> connect_socket(
    PodContext& pod, SocketAddress to, Deadline deadline,
    std::optional<IpAddress> as = std::nullopt, ClientPackets packets = ClientPackets::elsewhere);
/// The same, as whoever copies wants it.
[[nodiscard]] coro::Task<Result<std::unique_ptr<io::ByteStream>>> connect_plain(
    PodContext& pod, SocketAddress to, Deadline deadline,
    std::optional<IpAddress> as = std::nullopt, ClientPackets packets = ClientPackets::elsewhere);

/// Dials end after this, as the peer's.
inline constexpr auto kConnectTimeout = std::chrono::seconds(10);

}  // namespace aquifer::ztunnel
