#include "ztunnel/admin_pages.h"

#include "common/base/log.h"
#include "config/ca/cert_dump.h"
#include "ztunnel/config_dump.h"
#include "ztunnel/version.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace aquifer::ztunnel {

AdminPages::AdminPages(Parts parts)
    : parts_(std::move(parts)),
      flows_(parts_.loop, parts_.workers),
      starting_(readiness_.pending("state manager")) {
  admin_routes_.add_index("Aquifer ztunnel");
  admin::add_config_dump(admin_routes_, [this] { return config_dump(); });
  flows_.add_to(admin_routes_);
  admin::add_logging(admin_routes_, parts_.settings.log.filter);
  admin::add_quit(admin_routes_, parts_.quit);
  admin::add_metrics(metrics_routes_, parts_.registry, [this] { return parts_.loop.now(); });
  admin::add_readiness(readiness_routes_, readiness_);
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

void AdminPages::set_pending_pods(std::size_t count) {
  if (count == 0) {
    pending_pods_.done();
  } else if (!pending_pods_.pending()) {
    pending_pods_ = readiness_.pending("workload proxy manager");
  }
}

std::string AdminPages::config_dump() const {
  nlohmann::json dump = mesh_json(*parts_.mesh.snapshot());
  dump["certificates"] = ca::certificates_json(parts_.certs.dump());
  dump["workloadState"] = pods_json(parts_.supervisor.status());
  dump["config"] = settings_json(parts_.settings);
  dump["staticConfig"] = nlohmann::json{{"workloads", nlohmann::json::array()},
                                        {"services", nlohmann::json::array()},
                                        {"policies", nlohmann::json::array()}};
  dump["version"] = nlohmann::json::parse(version_json());
  dump["refusal"] = parts_.mesh.refusal();
  return dump.dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace aquifer::ztunnel
