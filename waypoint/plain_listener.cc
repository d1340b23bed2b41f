#include "waypoint/plain_listener.h"

#include "common/io/socket_options.h"
#include "common/io/socket_stream.h"
#include "waypoint/connection.h"
#include "waypoint/worker.h"

#include <charconv>
#include <memory>
#include <optional>
#include <utility>

namespace aquifer::waypoint {
namespace {

std::optional<std::uint16_t> parse_port(std::string_view text) noexcept {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

}  // namespace

Result<PlainService> parse_plain_service(std::string_view text) {
  const std::size_t equals = text.find('=');
  const std::size_t slash = text.find('/');
  const std::size_t colon = text.rfind(':');
  const bool shaped = equals != std::string_view::npos && slash != std::string_view::npos &&
                      colon != std::string_view::npos && equals + 1 < slash && slash + 1 < colon;
  if (!shaped) return fail(Errc::invalid, "not PORT=NAMESPACE/HOSTNAME:PORT");
  const auto listen_port = parse_port(text.substr(0, equals));
  const auto port = parse_port(text.substr(colon + 1));
  if (!listen_port || !port) return fail(Errc::invalid, "not PORT=NAMESPACE/HOSTNAME:PORT");
  return PlainService{.listen_port = *listen_port,
                      .ns = std::string(text.substr(equals + 1, slash - equals - 1)),
                      .hostname = std::string(text.substr(slash + 1, colon - slash - 1)),
                      .port = *port};
}

PlainListener::PlainListener(Worker& worker, Fd listener, PlainService service)
    : worker_(worker), listener_(worker.loop, std::move(listener)), service_(std::move(service)) {}

coro::Task<void> PlainListener::run() {
  for (;;) {
    auto accepted = co_await listener_.accept();
    if (!accepted) break;
    scope_.spawn(serve(std::move(*accepted)));
  }
  co_await scope_.join();
}

coro::Task<void> PlainListener::serve(Fd accepted) {
  io::SocketStream stream(worker_.loop, std::move(accepted));
  std::ignore = io::set_nodelay(stream.socket().fd());
  const auto from = stream.socket().peer_address();
  const auto to = stream.socket().local_address();
  if (!from || !to) co_return;  // gone before it was looked at
  const model::SnapshotPtr snapshot = worker_.snapshot;
  const auto& record = snapshot->service_by_host(service_.ns, service_.hostname);
  if (record == nullptr) co_return;
  auto downstream = std::make_shared<Downstream>();
  downstream->source = from->addr;
  downstream->source_workload =
      snapshot->workload_by_ip(worker_.node.settings.network, from->addr.ip);
  downstream->wanted = SocketAddress{to->addr.ip, service_.port};
  downstream->service = record->service;
  downstream->service_key = model::service_key(service_.ns, service_.hostname);
  downstream->port = service_.port;
  auto chain = worker_.chains.find(snapshot, *downstream);
  if (chain == nullptr) co_return;
  Connection connection(worker_, std::move(downstream), stream);
  co_await connection.run(std::move(chain), &scope_.cancel_source());
  const auto flushed = co_await stream.writable(&scope_.cancel_source());
  if (flushed) std::ignore = stream.shutdown_write();
}

void PlainListener::drain() {
  if (draining_) return;
  draining_ = true;
  scope_.spawn(stop_listening());
}

coro::Task<void> PlainListener::stop_listening() {
  co_await listener_.stop();
}

void PlainListener::cut() {
  drain();
  scope_.cancel();
}

}  // namespace aquifer::waypoint
