#include "ztunnel/dns/tcp_server.h"

#include "common/base/assert.h"
#include "ztunnel/dns/succession.h"
#include "ztunnel/dns/tcp_connection.h"

namespace aquifer::ztunnel::dns {

TcpServer::TcpServer(Answering& answering, Fd fd)
    : answering_(answering), listener_(answering.loop(), std::move(fd)) {}

coro::Task<void> TcpServer::serve() {
  accepting_.spawn(accept_all());
  const Status asked = co_await stop_asked_.wait();
  AQUIFER_ASSERT(asked.has_value());
  co_await listener_.stop();
  co_await accepting_.join();
  reading_.cancel();
  co_await connections_.join();
}

coro::Task<void> TcpServer::accept_all() {
  for (;;) {
    auto accepted = co_await listener_.accept();
    if (!accepted) co_return;
    if (connections_.running() >= kConnectionsMax) continue;
    connections_.spawn(serve_one(std::move(*accepted)));
  }
}

coro::Task<void> TcpServer::serve_one(Fd accepted) {
  TcpConnection connection(answering_, std::move(accepted), reading_, connections_.cancel_source());
  co_await connection.run();
}

void TcpServer::stop() noexcept {
  turn_over_to_next(listener_.fd());
  stop_asked_.notify();
}

void TcpServer::cut() noexcept {
  stop();
  reading_.cancel();
  connections_.cancel();
}

}  // namespace aquifer::ztunnel::dns
