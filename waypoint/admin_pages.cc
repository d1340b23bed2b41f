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
  routes_.admin.add_index("waypoint " + parts_.settings.gateway);
  routes_.admin.add_async(
      "/config_dump", admin::Methods::any,
      "what the program was told and made of it, as JSON: chains, routes, clusters, policies",
      [this](admin::Request request) { return answer_dump(std::move(request)); });
  routes_.admin.add_async(
      "/clusters", admin::Methods::get, "the clusters in use and their endpoints, as text",
      [this](admin::Request request) { return answer_clusters(std::move(request)); });
  requests_.add_to(routes_.admin);
  admin::add_logging(routes_.admin, parts_.settings.log.filter, parts_.settings.access_log);
  admin::add_quit(routes_.admin, parts_.quit);
  admin::add_metrics(routes_.metrics, parts_.registry, [this] { return parts_.loop.now(); });
  admin::add_readiness(routes_.readiness, readiness_);
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
  return ports_.listen({.admin = settings.admin_port,
                        .metrics = settings.stats_port,
                        .readiness = settings.readiness_port,
                        .ipv6 = settings.ipv6});
}

}  // namespace aquifer::waypoint
