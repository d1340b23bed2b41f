#include "waypoint/settings.h"

#include "common/admin/common_settings.h"

#include <array>
#include <utility>

namespace aquifer::waypoint {

std::expected<Settings, std::string> settings_from(const Environment& environment) {
  Settings settings;
  EnvironmentReader reader(environment);
  reader.text("NETWORK", settings.network);
  reader.text("ISTIO_META_CLUSTER_ID", settings.cluster_id);
  reader.text("CLUSTER_ID", settings.cluster_id);
  reader.text("CLUSTER_DOMAIN", settings.cluster_domain);
  reader.text("ISTIO_META_ISTIO_VERSION", settings.version_tag);
  constexpr std::array<std::pair<std::string_view, io::BackendChoice>, 2> kBackends{
      {{"uring", io::BackendChoice::uring}, {"epoll", io::BackendChoice::epoll}}};
  reader.choice("AQUIFER_IO", settings.backend, kBackends);
  reader.boolean("IPV6_ENABLED", settings.ipv6);
  reader.number("POOL_MAX_STREAMS_PER_CONNECTION", settings.pool.streams_per_tunnel_max, 1, 1000);
  reader.duration("POOL_UNUSED_RELEASE_TIMEOUT", settings.pool.unused_release);
  reader.duration("TERMINATION_DRAIN_DURATION_SECONDS", settings.drain_deadline);
  reader.duration("CONNECTION_TERMINATION_DEADLINE", settings.drain_deadline);
  reader.duration("AQUIFER_PROTOCOL_DETECTION_TIMEOUT", settings.detection_timeout);
  reader.duration("AQUIFER_REQUEST_HEAD_TIMEOUT", settings.head_timeout);
  Duration ttl = settings.secret_ttl;
  reader.duration("SECRET_TTL", ttl);
  settings.secret_ttl =
      std::max(std::chrono::duration_cast<std::chrono::seconds>(ttl), std::chrono::seconds(1));
  settings.workers = read_worker_count(reader, "AQUIFER_WORKER_THREADS");
  admin::read_compliance(reader, settings.key_exchange);
  admin::read_log(reader, settings.log);
  admin::read_access_log(reader, settings.access_log);
  if (!reader.complaint().empty()) return std::unexpected(reader.complaint());
  return settings;
}

manifests::LoadOptions load_options_of(const Settings& settings) {
  manifests::LoadOptions options;
  options.network = settings.network;
  options.cluster_id = settings.cluster_id;
  options.cluster_domain = settings.cluster_domain;
  return options;
}

}  // namespace aquifer::waypoint
