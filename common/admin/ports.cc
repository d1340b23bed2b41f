#include "common/admin/ports.h"

#include <fmt/format.h>

#include <tuple>
#include <utility>

namespace aquifer::admin {

std::expected<void, std::string> Ports::listen(const PortNumbers& numbers) {
  const IpAddress any = numbers.ipv6 ? IpAddress::any_v6() : IpAddress::any_v4();
  if (auto opened = open(IpAddress::loopback_v4(), numbers.admin, routes_.admin); !opened)
    return opened;
  // A host without IPv6 has no such loopback: then the other one has to do.
  if (numbers.ipv6) std::ignore = open(IpAddress::loopback_v6(), numbers.admin, routes_.admin);
  if (auto opened = open(any, numbers.metrics, routes_.metrics); !opened) return opened;
  return open(any, numbers.readiness, routes_.readiness);
}

std::expected<void, std::string> Ports::open(const IpAddress& address, std::uint16_t port,
                                             const Router& router) {
  io::ListenOptions options;
  options.reuse_port = true;
  const SocketAddress at{address, port};
  auto listener = listen_tcp(at, options);
  if (!listener && address == IpAddress::any_v6())
    listener = listen_tcp(SocketAddress{IpAddress::any_v4(), port}, options);
  if (!listener) {
    return std::unexpected(
        fmt::format("listening on {}: {}", at.to_string(), listener.error().message()));
  }
  open_.push_back({std::move(*listener), &router});
  return {};
}

coro::Task<void> Ports::serve() {
  for (Open& port : open_)
    servers_.push_back(
        std::make_unique<AdminServer>(loop_, std::move(port.listener), *port.router));
  for (const auto& server : servers_) running_.spawn(server->run());
  co_await running_.join();
}

coro::Task<void> Ports::stop() {
  for (const auto& server : servers_) co_await server->stop();
}

}  // namespace aquifer::admin
