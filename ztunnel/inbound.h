// Connections that come to a captured pod: tunnels of other proxies (15008), and plaintext (15006).
// On the pod's loop.
#pragma once

#include "common/hbone/tunnel.h"
#include "ztunnel/pod_context.h"

#include <memory>
#include <vector>

namespace aquifer::ztunnel {

class Inbound {
 public:
  explicit Inbound(PodContext& pod) noexcept : pod_(pod) {}
  ~Inbound() { AQUIFER_ASSERT(tunnels_.empty()); }
  Inbound(const Inbound&) = delete;
  Inbound& operator=(const Inbound&) = delete;

  /// The life of one tunnel, from the accepted socket to its end.
  [[nodiscard]] coro::Task<void> serve_tunnel(Fd accepted);
  /// The life of one plaintext connection.
  [[nodiscard]] coro::Task<void> serve_plaintext(Fd accepted);

  /// Asks the peers of all tunnels to open no more streams; the open ones go on.
  void drain();
  /// Ends all tunnels now.
  void cut();
  [[nodiscard]] std::size_t tunnels() const noexcept { return tunnels_.size(); }

 private:
  struct Peer {
    PeerAddr address;
    LocalAddr local;
    std::shared_ptr<const SpiffeId> identity;
  };
  coro::Task<Result<std::unique_ptr<hbone::Tunnel>>> accept_tunnel(
      std::unique_ptr<io::Socket> socket, Peer& peer);
  coro::Task<void> serve_connect(const Peer& peer, std::unique_ptr<hbone::TunnelStream> stream,
                                 hbone::ConnectRequest request);

  PodContext& pod_;
  std::vector<hbone::Tunnel*> tunnels_;
  std::size_t handshakes_ = 0;
  bool draining_ = false;
};

}  // namespace aquifer::ztunnel
