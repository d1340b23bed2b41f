// Connections that a captured pod opens. On the pod's loop.
#pragma once

#include "common/hbone/pool.h"
#include "config/model/resolve.h"
#include "ztunnel/pod_context.h"
#include "ztunnel/same_node/short_cuts.h"
#include "ztunnel/tunnel_dialer.h"
#include "ztunnel/upstream_connect.h"

namespace aquifer::ztunnel {

class Outbound {
 public:
  explicit Outbound(PodContext& pod);
  Outbound(const Outbound&) = delete;
  Outbound& operator=(const Outbound&) = delete;

  /// The life of one connection, from the accepted socket to its end.
  [[nodiscard]] coro::Task<void> serve(Fd accepted);

  [[nodiscard]] hbone::Pool& pool() noexcept { return pool_; }
  [[nodiscard]] ShortCuts& short_cuts() noexcept { return short_cuts_; }

 private:
  [[nodiscard]] model::Resolution resolve(const OutboundCall& call);

  PodContext& pod_;
  PodTunnelDialer dialer_;
  hbone::Pool pool_;
  ShortCuts short_cuts_;
  UpstreamConnector connector_;
};

}  // namespace aquifer::ztunnel
