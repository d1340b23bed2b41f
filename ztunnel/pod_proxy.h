// PodProxy: everything the node does for one captured pod, on the pod's loop, from its enrolment to
// its release.
#pragma once

#include "common/io/listener.h"
#include "ztunnel/dns/proxy.h"
#include "ztunnel/inbound.h"
#include "ztunnel/listeners.h"
#include "ztunnel/outbound.h"
#include "ztunnel/pod_context.h"
#include "ztunnel/same_node/handover.h"

namespace aquifer::ztunnel {

class PodProxy {
 public:
  PodProxy(Worker& worker, model::WorkloadPtr pod,
           std::shared_ptr<const io::NetworkNamespace> space, PodListeners listeners);
  PodProxy(const PodProxy&) = delete;
  PodProxy& operator=(const PodProxy&) = delete;

  /// The life of the proxy: completes when its listeners are closed and its connections have ended.
  [[nodiscard]] coro::Task<void> run();

  /// The mesh changed the pod's record. Connections that are open keep the old one, but are judged
  /// again by the new one.
  void update(model::WorkloadPtr pod);
  /// Policies changed: open connections that they no longer allow are cut.
  void judge_again();
  /// Anything changed.
  void mesh_changed() { outbound_.short_cuts().mesh_changed(); }
  /// A connection from another pod of this node, or from itself.
  void take_over(const HandoverPtr& handover);

  /// The pod left the mesh (its redirects are gone): no new plaintext or outbound connection,
  /// tunnels are accepted for a while yet since other nodes hear of it later, open connections live
  /// on.
  void release();
  /// The pod, released before, is about to be captured anew: its queries are for the new proxy,
  /// which has its new connections and must know the names they were resolved from.
  void retire_dns();
  /// The process ends: new connections go to its successor, those that are queued are served, open
  /// ones live on.
  void drain();
  /// Ends everything now.
  void cut();

  [[nodiscard]] const PodContext& context() const noexcept { return context_; }
  [[nodiscard]] std::size_t open_connections() const noexcept {
    return context_.connections.running();
  }

 private:
  enum class Kind : std::uint8_t { outbound, plaintext, hbone };
  coro::Task<void> accept_loop(io::Listener& listener, Kind kind);
  coro::Task<void> stop_after(io::Listener& listener, Duration grace);
  void stop_all(Duration grace, Duration hbone_grace);
  coro::Task<void> stop_dns_after(Duration grace);

  PodContext context_;
  Outbound outbound_;
  Inbound inbound_;
  io::Listener outbound_listener_;
  io::Listener plaintext_listener_;
  io::Listener hbone_listener_;
  std::unique_ptr<dns::Proxy> dns_;  // null without DNS capture
  bool stopping_ = false;
  coro::Scope accepting_;
  coro::Scope serving_dns_;
};

}  // namespace aquifer::ztunnel
