// Dials the tunnels of one pod: TCP from the pod's namespace, TLS as the pod's identity. On the
// pod's loop.
#pragma once

#include "common/hbone/pool.h"
#include "ztunnel/pod_context.h"

namespace aquifer::ztunnel {

class PodTunnelDialer final : public hbone::TunnelDialer {
 public:
  explicit PodTunnelDialer(PodContext& pod) noexcept : pod_(pod) {}

  coro::Task<Result<std::unique_ptr<hbone::Tunnel>>> dial(hbone::PoolKey key, Deadline deadline,
                                                          coro::CancelSource* cancel) override;

 private:
  coro::Task<Result<std::unique_ptr<io::Socket>>> connect(TunnelAddr to, Deadline deadline,
                                                          coro::CancelSource* cancel);
  PodContext& pod_;
};

}  // namespace aquifer::ztunnel
