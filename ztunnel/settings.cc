#include "ztunnel/settings.h"

#include "common/admin/common_settings.h"
#include "ztunnel/unread_variables.h"

#include <algorithm>
#include <array>
#include <utility>

namespace aquifer::ztunnel {
namespace {

using Reader = EnvironmentReader;

void read_dns(Reader& reader, const Environment& environment, DnsSettings& dns) {
  // As the peer reads it: whatever is not "true" is off.
  if (const auto value = environment("ISTIO_META_DNS_CAPTURE")) dns.capture = *value == "true";
  reader.text("PREFERED_SERVICE_NAMESPACE", dns.preferred_namespace);
  if (const auto value = environment("ISTIO_META_DNS_PROXY_ADDR")) {
    // Pods are redirected to their own loopback: nothing else can be meant.
    constexpr std::string_view kName = "localhost:";
    const std::string address =
        value->starts_with(kName) ? "127.0.0.1:" + value->substr(kName.size()) : *value;
    const auto parsed = SocketAddress::parse(address);
    if (parsed && parsed->ip.is_loopback() && parsed->port != 0) {
      dns.port = parsed->port;
    } else {
      reader.complain("ISTIO_META_DNS_PROXY_ADDR", *value, "write localhost:PORT");
    }
  }
  if (const auto value = environment("AQUIFER_DNS_UPSTREAM")) {
    if (auto servers = dns::parse_servers(*value)) {
      dns.upstream = std::move(*servers);
    } else {
      reader.complain("AQUIFER_DNS_UPSTREAM", *value,
                      "write one to three servers as IP or IP:PORT, with commas between them");
    }
  }
}

}  // namespace

std::expected<Settings, std::string> settings_from(const Environment& environment) {
  Settings settings;
  Reader reader(environment);
  reader.text("NODE_NAME", settings.node);
  reader.text("NETWORK", settings.network);
  reader.text("ISTIO_META_CLUSTER_ID", settings.cluster_id);
  reader.text("CLUSTER_ID", settings.cluster_id);
  reader.text("CLUSTER_DOMAIN", settings.cluster_domain);
  reader.text("ISTIO_META_ISTIO_VERSION", settings.version_tag);
  constexpr std::array<std::pair<std::string_view, io::BackendChoice>, 2> kBackends{
      {{"uring", io::BackendChoice::uring}, {"epoll", io::BackendChoice::epoll}}};
  reader.choice("AQUIFER_IO", settings.backend, kBackends);
  constexpr std::array<std::pair<std::string_view, OriginalSource>, 2> kOriginalSource{
      {{"true", OriginalSource::required}, {"false", OriginalSource::off}}};
  reader.choice("ENABLE_ORIG_SRC", settings.original_source, kOriginalSource);
  constexpr std::array<std::pair<std::string_view, SameNodePath>, 2> kSameNodePath{
      {{"on", SameNodePath::on}, {"off", SameNodePath::off}}};
  reader.choice("AQUIFER_SAME_NODE", settings.same_node, kSameNodePath);
  // What the capture rules can tell from other marks: twelve bits, and not the answers' own mark.
  reader.number("PACKET_MARK", settings.packet_mark, 1, kMarkMask);
  if (!is_proxy_mark(settings.packet_mark)) {
    reader.complain("PACKET_MARK", std::to_string(settings.packet_mark),
                    "the answers of captured connections carry this mark; take another");
  }
  reader.boolean("IPV6_ENABLED", settings.ipv6);
  reader.boolean("INPOD_PORT_REUSE", settings.port_reuse);
  reader.boolean("ENABLE_RESPONSE_BAGGAGE", settings.response_baggage);
  constexpr std::array<std::pair<std::string_view, bool>, 2> kOnOff{{{"on", true}, {"off", false}}};
  reader.choice("AQUIFER_EARLY_DATA", settings.early_data, kOnOff);
  reader.boolean("KEEPALIVE_ENABLED", settings.keepalive_enabled);
  reader.seconds("KEEPALIVE_TIME", settings.keepalive.time_seconds);
  reader.seconds("KEEPALIVE_INTERVAL", settings.keepalive.interval_seconds);
  reader.number("KEEPALIVE_RETRIES", settings.keepalive.probes, 1, 127);
  reader.boolean("USER_TIMEOUT_ENABLED", settings.keepalive.user_timeout);
  // 1,000: what a peer could be asked for at all; more only moves the limit to it.
  reader.number("POOL_MAX_STREAMS_PER_CONNECTION", settings.pool.streams_per_tunnel_max, 1, 1000);
  reader.duration("POOL_UNUSED_RELEASE_TIMEOUT", settings.pool.unused_release);
  if (const auto grace = environment("TERMINATION_GRACE_PERIOD_SECONDS")) {
    std::int64_t seconds = 0;
    reader.number("TERMINATION_GRACE_PERIOD_SECONDS", seconds, 1, 86400);
    const std::int64_t left = seconds > 10 ? seconds - 5 : seconds - 1;
    settings.termination_deadline = std::chrono::seconds(std::max<std::int64_t>(left, 1));
  }
  reader.duration("CONNECTION_TERMINATION_DEADLINE", settings.termination_deadline);
  Duration ttl = settings.secret_ttl;
  reader.duration("SECRET_TTL", ttl);
  settings.secret_ttl =
      std::max(std::chrono::duration_cast<std::chrono::seconds>(ttl), std::chrono::seconds(1));
  admin::read_compliance(reader, settings.key_exchange);
  settings.warnings = unread_variables(environment);
  reader.number("AQUIFER_POD_QUEUE_BYTES", settings.pod_queue_bytes_max, 1 << 20, UINT64_MAX);
  read_dns(reader, environment, settings.dns);
  reader.duration("AQUIFER_METRICS_SERIES_TTL", settings.series_ttl);
  settings.workers = read_worker_count(reader, "ZTUNNEL_WORKER_THREADS");
  admin::read_log(reader, settings.log);
  bool policies_at_info = false;
  reader.boolean("AUTHZ_POLICY_INFO_LOGGING", policies_at_info);
  if (policies_at_info) settings.policy_log_level = log::Level::info;
  admin::read_access_log(reader, settings.access_log);
  if (!reader.complaint().empty()) return std::unexpected(reader.complaint());
  return settings;
}

}  // namespace aquifer::ztunnel
