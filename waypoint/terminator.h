// Where tunnels end: clients' proxies connect to port 15008 with their identities, and each CONNECT
// is a connection to a service. One for each loop.
#pragma once

#include "common/base/fd.h"
#include "common/coro/scope.h"
#include "common/coro/task.h"
#include "common/hbone/tunnel.h"
#include "common/io/listener.h"
#include "waypoint/downstream.h"

#include <cstddef>
#include <memory>
#include <vector>

namespace aquifer::waypoint {

struct Worker;

class Terminator {
 public:
  /// `listener` is this loop's own of the port.
  Terminator(Worker& worker, Fd listener);
  Terminator(const Terminator&) = delete;
  Terminator& operator=(const Terminator&) = delete;

  /// Accepts until drain(), then waits for the last tunnel.
  [[nodiscard]] coro::Task<void> run();
  /// No new connections; open tunnels end with their last stream, and streams with their last
  /// answer.
  void drain();
  /// Ends everything now.
  void cut();
  [[nodiscard]] std::size_t tunnels() const noexcept { return tunnels_.size(); }

 private:
  struct Peer {
    SocketAddress address;
    SpiffeId identity;
  };
  coro::Task<void> serve_tunnel(Fd accepted);
  coro::Task<Result<std::unique_ptr<hbone::Tunnel>>> accept_tunnel(
      std::unique_ptr<io::Socket> socket, Peer& peer);
  coro::Task<void> serve_connect(const Peer& peer, std::unique_ptr<hbone::TunnelStream> stream,
                                 hbone::ConnectRequest request);
  void note_refusal(const Peer& peer, const hbone::ConnectRequest& request, int status,
                    const std::string& reason);
  coro::Task<void> say_goodbye(hbone::TunnelStream& stream);
  coro::Task<void> stop_listening();

  Worker& worker_;
  io::Listener listener_;
  std::vector<hbone::Tunnel*> tunnels_;
  std::size_t handshakes_ = 0;
  bool draining_ = false;
  coro::Scope scope_;
};

}  // namespace aquifer::waypoint
