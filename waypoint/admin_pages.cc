#include "waypoint/admin_pages.h"

#include "common/base/log.h"
#include "waypoint/cluster_view.h"
#include "waypoint/config_dump.h"

#include <fmt/format.h>

#include <utility>

namespace aquifer::waypoint {

AdminPages::AdminPages(Parts parts)
    : parts_(std::move(parts)),
      requests_(parts_.loop, parts_.workers),
      starting_(readiness_.pending("configuration")),
      identity_(readiness_.pending("identity")) {
  admin_routes_.add_index("waypoint " + parts_.settings.gateway);
  admin_routes_.add_async(
      "/config_dump", admin::Methods::any,
      "what the program was told and made of it, as JSON: chains, routes, clusters, policies",
      [this](admin::Request request) { return answer_dump(std::move(request)); });
  admin_routes_.add_async(
      "/clusters", admin::Methods::get, "the clusters in use and their endpoints, as text",
      [this](admin::Request request) { return answer_clusters(std::move(request)); });
  requests_.add_to(admin_routes_);
  admin::add_logging(admin_routes_, parts_.settings.log.filter, parts_.settings.access_log);
  admin::add_quit(admin_routes_, parts_.quit);
  admin::add_metrics(metrics_routes_, parts_.registry, [this] { return parts_.loop.now(); });
  admin::add_readiness(readiness_routes_, readiness_);
}

coro::Task<admin::Response> AdminPages::answer_dump(admin::Request) {
  std::function<ClusterViews(Worker&)> look = look_at_clusters;
  auto found = co_await survey<ClusterViews>(parts_.loop, parts_.workers, std::move(look));
  DumpParts parts{.mesh = parts_.mesh.snapshot(),
                  .self = parts_.self(),
                  .certificates = parts_.certs.dump(),
                  .clusters = together(std::move(found.answers)),
                  .silent_workers = found.silent_workers,
                  .settings = parts_.settings,
                  .refusal = parts_.mesh.refusal()};
  co_return admin::Response::stream("application/json", config_dump_body(std::move(parts)));
}

coro::Task<admin::Response> AdminPages::answer_clusters(admin::Request) {
  std::function<ClusterViews(Worker&)> look = look_at_clusters;
  auto found = co_await survey<ClusterViews>(parts_.loop, parts_.workers, std::move(look));
  co_return admin::Response::text(200, clusters_text(together(std::move(found.answers))));
}

void AdminPages::set_known(bool known) {
  if (known) {
    identity_.done();
  } else if (!identity_.pending()) {
    identity_ = readiness_.pending("identity");
  }
}

std::expected<void, std::string> AdminPages::listen() {
  const Settings& settings = parts_.settings;
  const IpAddress any = settings.ipv6 ? IpAddress::any_v6() : IpAddress::any_v4();
  if (auto opened = open(IpAddress::loopback_v4(), settings.admin_port, admin_routes_); !opened)
    return opened;
  // A host without IPv6 has no such loopback: then the other one has to do.
  if (settings.ipv6)
    std::ignore = open(IpAddress::loopback_v6(), settings.admin_port, admin_routes_);
  if (auto opened = open(any, settings.stats_port, metrics_routes_); !opened) return opened;
  return open(any, settings.readiness_port, readiness_routes_);
}

std::expected<void, std::string> AdminPages::open(const IpAddress& address, std::uint16_t port,
                                                  const admin::Router& router) {
  // A successor opens the same ports while we drain.
  io::ListenOptions options;
  options.reuse_port = true;
  const SocketAddress at{address, port};
  auto listener = admin::listen_tcp(at, options);
  if (!listener && address == IpAddress::any_v6()) {
    listener = admin::listen_tcp(SocketAddress{IpAddress::any_v4(), port}, options);
  }
  if (!listener) {
    return std::unexpected(
        fmt::format("listening on {}: {}", at.to_string(), listener.error().message()));
  }
  ports_.push_back({std::move(*listener), &router});
  return {};
}

coro::Task<void> AdminPages::serve() {
  for (Port& port : ports_) {
    servers_.push_back(
        std::make_unique<admin::AdminServer>(parts_.loop, std::move(port.listener), *port.router));
  }
  for (const auto& server : servers_) running_.spawn(server->run());
  co_await running_.join();
}

coro::Task<void> AdminPages::stop() {
  for (const auto& server : servers_) co_await server->stop();
}

}  // namespace aquifer::waypoint
