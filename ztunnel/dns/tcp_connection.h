// TcpConnection: one client's queries by TCP, several at a time (RFC 7766 section 6.2.1.1: answers
// may come in any order). On the pod's loop.
#pragma once

#include "common/coro/scope.h"
#include "common/io/socket.h"
#include "ztunnel/dns/answering.h"
#include "ztunnel/dns/tcp_framing.h"

#include <deque>

namespace aquifer::ztunnel::dns {

class TcpConnection {
 public:
  /// A client that sends nothing for so long is hung up on, and one that takes nothing as well. RFC
  /// 7766 section 6.2.3 wants seconds.
  static constexpr auto kIdleTimeout = std::chrono::seconds(5);

  /// `reading` asks to take no more queries, `everything` to give up.
  TcpConnection(Answering& answering, Fd fd, coro::CancelSource& reading,
                coro::CancelSource& everything) noexcept;
  TcpConnection(const TcpConnection&) = delete;
  TcpConnection& operator=(const TcpConnection&) = delete;

  /// From the first query to the last answer.
  [[nodiscard]] coro::Task<void> run();

 private:
  coro::Task<Result<Message>> next_query();
  coro::Task<void> forward(Arrival arrival);
  /// Queues the response; whoever finds nobody writing writes for all.
  coro::Task<void> send(Message response);
  [[nodiscard]] bool is_full() const noexcept;

  Answering& answering_;
  io::Socket socket_;
  coro::CancelSource& reading_;
  coro::CancelSource& everything_;
  FrameReader reader_;
  std::deque<Message> outgoing_;
  bool writing_ = false;
  bool broken_ = false;
  coro::Event room_;
  coro::Scope forwards_;
};

}  // namespace aquifer::ztunnel::dns
