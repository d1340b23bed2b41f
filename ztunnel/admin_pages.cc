#include "ztunnel/admin_pages.h"

#include "common/admin/version.h"
#include "common/base/log.h"
#include "ztunnel/config_dump.h"
#include "ztunnel/dashboard.h"

#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <utility>

namespace aquifer::ztunnel {

AdminPages::AdminPages(Parts parts)
    : parts_(std::move(parts)),
      flows_(parts_.loop, parts_.workers),
      starting_(readiness_.pending("state manager")) {
  admin_routes_.add_async("/", admin::Methods::get, "this page", [this](admin::Request request) {
    return answer_dashboard(std::move(request));
  });
  admin_routes_.add_async(
      "/config_dump", admin::Methods::any, "what the program was told, as JSON",
      [this](admin::Request request) { return answer_dump(std::move(request)); });
  flows_.add_to(admin_routes_);
  admin::add_logging(admin_routes_, parts_.settings.log.filter, parts_.settings.access_log);
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

coro::Task<admin::Response> AdminPages::answer_dump(admin::Request) {
  auto connections =
      co_await survey(parts_.loop, parts_.workers, SurveyOf::connections, std::string());
  DumpParts parts{.mesh = parts_.mesh.snapshot(),
                  .certificates = parts_.certs.dump(),
                  .pods = parts_.supervisor.status(),
                  .connections = std::move(connections),
                  .settings = parts_.settings,
                  .refusal = parts_.mesh.refusal()};
  co_return admin::Response::stream("application/json", config_dump_body(std::move(parts)));
}

coro::Task<admin::Response> AdminPages::answer_dashboard(admin::Request request) {
  const auto page_number = [&request](std::string_view name) -> std::size_t {
    const std::string_view text = request.parameter(name).value_or("0");
    std::size_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
  };
  Dashboard page;
  page.connections =
      co_await survey(parts_.loop, parts_.workers, SurveyOf::connections, std::string());
  page.refusals = co_await survey(parts_.loop, parts_.workers, SurveyOf::refusals, std::string());
  page.mesh = parts_.mesh.snapshot();
  page.node = parts_.settings.node;
  page.version = admin::version_line("ztunnel");
  page.pods = parts_.supervisor.status();
  page.certificates = parts_.certs.dump();
  page.warnings = parts_.mesh.warnings();
  page.refusal = parts_.mesh.refusal();
  page.now = std::chrono::system_clock::now();
  page.wanted = request.parameter("q").value_or("");
  page.workloads_page = page_number("workloads");
  page.services_page = page_number("services");
  co_return admin::Response::html(dashboard_page(page));
}

}  // namespace aquifer::ztunnel
