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
  routes_.admin.add_async("/", admin::Methods::get, "this page", [this](admin::Request request) {
    return answer_dashboard(std::move(request));
  });
  routes_.admin.add_async(
      "/config_dump", admin::Methods::any, "what the program was told, as JSON",
      [this](admin::Request request) { return answer_dump(std::move(request)); });
  flows_.add_to(routes_.admin);
  admin::add_logging(routes_.admin, parts_.settings.log.filter, parts_.settings.access_log);
  admin::add_quit(routes_.admin, parts_.quit);
  admin::add_metrics(routes_.metrics, parts_.registry, [this] { return parts_.loop.now(); });
  admin::add_readiness(routes_.readiness, readiness_);
}

std::expected<void, std::string> AdminPages::listen() {
  const Settings& settings = parts_.settings;
  return ports_.listen({.admin = settings.admin_port,
                        .metrics = settings.stats_port,
                        .readiness = settings.readiness_port,
                        .ipv6 = settings.ipv6});
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
