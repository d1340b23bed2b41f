// TcpServer: connections to one listening socket. On the pod's loop.
#pragma once

#include "common/coro/scope.h"
#include "common/io/listener.h"
#include "ztunnel/dns/answering.h"

namespace aquifer::ztunnel::dns {

class TcpServer {
 public:
  /// Connections of a pod's programs to each listener. They ask and hang up; more are leaks or
  /// malice, and are closed at once: each may have answers of 64 KiB waiting (tcp_connection.cc).
  static constexpr std::size_t kConnectionsMax = 16;

  /// `fd` listens.
  TcpServer(Answering& answering, Fd fd);
  TcpServer(const TcpServer&) = delete;
  TcpServer& operator=(const TcpServer&) = delete;

  /// Completes after stop(), when all queries that had arrived are answered.
  [[nodiscard]] coro::Task<void> serve();
  void stop() noexcept;
  void cut() noexcept;

  [[nodiscard]] int fd() const noexcept { return listener_.fd(); }

 private:
  coro::Task<void> accept_all();
  coro::Task<void> serve_one(Fd accepted);

  Answering& answering_;
  io::Listener listener_;
  coro::Event stop_asked_;
  coro::CancelSource reading_;
  coro::Scope accepting_;
  coro::Scope connections_;
};

}  // namespace aquifer::ztunnel::dns
