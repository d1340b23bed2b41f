#include "ztunnel/dns/proxy.h"

#include "ztunnel/dns/succession.h"

#include <utility>

namespace aquifer::ztunnel::dns {

Proxy::Proxy(Answering::Parts parts, Sockets sockets) : answering_(std::move(parts)) {
  for (Fd& fd : sockets.udp) udp_.push_back(std::make_unique<UdpServer>(answering_, std::move(fd)));
  for (Fd& fd : sockets.tcp) tcp_.push_back(std::make_unique<TcpServer>(answering_, std::move(fd)));
}

coro::Task<void> Proxy::run() {
  for (const auto& server : udp_) serving_.spawn(server->serve());
  for (const auto& server : tcp_) serving_.spawn(server->serve());
  co_await serving_.join();
}

void Proxy::stop() noexcept {
  for (const auto& server : udp_) server->stop();
  for (const auto& server : tcp_) server->stop();
}

void Proxy::cut() noexcept {
  for (const auto& server : udp_) server->cut();
  for (const auto& server : tcp_) server->cut();
}

void Proxy::turn_over() noexcept {
  for (const auto& server : udp_) turn_over_to_next(server->fd());
  for (const auto& server : tcp_) turn_over_to_next(server->fd());
}

}  // namespace aquifer::ztunnel::dns
