// UdpServer: queries by UDP on one socket. What can be answered at once is, in batches; the rest
// waits for upstream, each on its own. On the pod's loop.
#pragma once

#include "common/coro/scope.h"
#include "ztunnel/dns/answering.h"
#include "ztunnel/dns/udp_socket.h"

namespace aquifer::ztunnel::dns {

class UdpServer {
 public:
  /// `fd` is bound to one address (answers leave from it) and non-blocking.
  UdpServer(Answering& answering, Fd fd) noexcept;
  UdpServer(const UdpServer&) = delete;
  UdpServer& operator=(const UdpServer&) = delete;

  /// Completes after stop(), when all that had arrived is answered.
  [[nodiscard]] coro::Task<void> serve();
  void stop() noexcept;
  /// Gives up what waits for upstream.
  void cut() noexcept;

  [[nodiscard]] int fd() const noexcept { return socket_.fd(); }

 private:
  struct Batch;
  enum class Queue : std::uint8_t { empty, maybe_more };
  [[nodiscard]] Queue take_batch();
  void take(Batch& batch, std::size_t index, MonoTime now);
  coro::Task<void> forward(Arrival arrival, SockaddrStorage client);

  Answering& answering_;
  UdpSocket socket_;
  coro::CancelSource stopping_;
  coro::Scope forwards_;
};

}  // namespace aquifer::ztunnel::dns
