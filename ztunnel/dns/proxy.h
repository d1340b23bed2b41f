// Proxy: the DNS of one captured pod, from its enrolment to its release. On the pod's loop.
#pragma once

#include "ztunnel/dns/answering.h"
#include "ztunnel/dns/sockets.h"
#include "ztunnel/dns/tcp_server.h"
#include "ztunnel/dns/udp_server.h"

#include <memory>
#include <vector>

namespace aquifer::ztunnel::dns {

class Proxy {
 public:
  Proxy(Answering::Parts parts, Sockets sockets);
  Proxy(const Proxy&) = delete;
  Proxy& operator=(const Proxy&) = delete;

  /// Completes after stop() or cut(), when no query is open any more.
  [[nodiscard]] coro::Task<void> run();
  /// No new query; those that have arrived are answered. May be called again.
  void stop() noexcept;
  /// Gives up the open ones too.
  void cut() noexcept;

  /// New queries go to a successor from now on, if there is one; stop() follows some time later.
  void turn_over() noexcept;

 private:
  Answering answering_;
  std::vector<std::unique_ptr<UdpServer>> udp_;
  std::vector<std::unique_ptr<TcpServer>> tcp_;
  coro::Scope serving_;
};

}  // namespace aquifer::ztunnel::dns
