#include "config/manifests/read_traffic_policy.h"

#include "config/manifests/route_values.h"

#include <fmt/format.h>

#include <utility>

namespace aquifer::manifests {
namespace {

constexpr std::uint32_t kCountMax = 2'147'483'647;

void read_tcp_pool(Fields& fields, l7::PoolLimits& limits) {
  if (!fields.present()) return;
  if (const auto most = read_count(fields, "maxConnections", kCountMax); most && *most > 0)
    limits.connections_max = *most;
  if (const auto time = read_duration(fields, "connectTimeout"); time && *time > Duration::zero())
    limits.connect_timeout = *time;
  if (const auto time = read_duration(fields, "maxConnectionDuration"))
    limits.connection_age_max = *time;
  if (const auto time = read_duration(fields, "idleTimeout")) limits.idle_timeout = *time;
  if (fields.has("tcpKeepalive")) {
    fields.warn("tcpKeepalive", "is not read: the tunnels to endpoints look after themselves");
  }
  fields.ignore({"tcpKeepalive"});
  fields.finish();
}

void read_http_pool(Fields& fields, TrafficPolicyObject& policy, l7::PoolLimits& limits) {
  if (!fields.present()) return;
  const auto limit = [&](std::string_view name, std::uint32_t& into) {
    if (const auto most = read_count(fields, name, kCountMax); most && *most > 0) into = *most;
  };
  limit("http1MaxPendingRequests", limits.pending_max);
  limit("http2MaxRequests", limits.requests_max);
  limit("maxRequestsPerConnection", limits.requests_per_connection_max);
  limit("maxRetries", limits.retries_max);
  limit("maxConcurrentStreams", limits.streams_per_connection_max);
  if (const auto time = read_duration(fields, "idleTimeout")) limits.idle_timeout = *time;
  const std::string upgrade = fields.text_or("h2UpgradePolicy", "DEFAULT");
  if (upgrade == "UPGRADE") {
    policy.protocol = ProtocolWish::http2;
  } else if (upgrade != "DEFAULT" && upgrade != "DO_NOT_UPGRADE") {
    fields.error("h2UpgradePolicy", fmt::format("{} is none: write DEFAULT, UPGRADE or "
                                                "DO_NOT_UPGRADE",
                                                in_quotes(upgrade)));
  }
  if (fields.boolean("useClientProtocol").value_or(false))
    policy.protocol = ProtocolWish::same_as_client;
  fields.finish();
}

void read_connection_pool(Fields& fields, TrafficPolicyObject& policy) {
  l7::PoolLimits limits;
  Fields tcp = fields.map("tcp");
  read_tcp_pool(tcp, limits);
  Fields http = fields.map("http");
  read_http_pool(http, policy, limits);
  fields.finish();
  policy.limits = limits;
}

void read_outlier_detection(Fields& fields, TrafficPolicyObject& policy) {
  l7::OutlierDetection outlier;
  // Envoy's, for whoever writes outlierDetection at all.
  constexpr std::uint32_t kDefaultFailures = 5;
  const auto old = read_count(fields, "consecutiveErrors", kCountMax);
  const auto any = read_count(fields, "consecutive5xxErrors", kCountMax);
  const auto gateway = read_count(fields, "consecutiveGatewayErrors", kCountMax);
  outlier.consecutive_5xx = any ? *any : kDefaultFailures;
  outlier.consecutive_gateway_errors = gateway ? *gateway : old.value_or(0);
  outlier.split_local = fields.boolean("splitExternalLocalOriginErrors").value_or(false);
  const auto local = read_count(fields, "consecutiveLocalOriginFailures", kCountMax);
  if (outlier.split_local) outlier.consecutive_local_failures = local.value_or(kDefaultFailures);
  const auto positive = [&](std::string_view name, Duration& into) {
    const auto time = read_duration(fields, name);
    if (time && *time > Duration::zero()) into = *time;
  };
  positive("interval", outlier.interval);
  positive("baseEjectionTime", outlier.base_ejection);
  if (outlier.base_ejection > outlier.ejection_max) outlier.ejection_max = outlier.base_ejection;
  if (const auto percent = read_count(fields, "maxEjectionPercent", 100))
    outlier.ejected_percent_max = *percent;
  if (const auto percent = read_count(fields, "minHealthPercent", 100)) {
    outlier.healthy_percent_min = *percent;
    policy.panic_percent = *percent;
  }
  fields.finish();
  policy.outlier = outlier;
}

void read_tls(Fields& fields, TrafficPolicyObject& policy) {
  TrafficPolicyObject::Tls tls;
  const std::string mode = fields.text_or("mode", "DISABLE");
  const bool simple = mode == "SIMPLE";
  const bool mutual = mode == "MUTUAL";
  l7::UpstreamTls upstream;
  upstream.server_name = fields.text_or("sni", "");
  for (TextItem& item : fields.texts("subjectAltNames"))
    upstream.subject_alt_names.push_back(std::move(item.text));
  if (!within(fields, "subjectAltNames", upstream.subject_alt_names.size(), kItemsMax))
    upstream.subject_alt_names.clear();
  upstream.ca_certificates = fields.text_or("caCertificates", "");
  upstream.client_certificate = fields.text_or("clientCertificate", "");
  upstream.private_key = fields.text_or("privateKey", "");
  upstream.insecure_skip_verify = fields.boolean("insecureSkipVerify").value_or(false);
  if (fields.has("credentialName")) {
    // To go on without it would be to trust whom nobody named.
    fields.error("credentialName",
                 "Secrets are not read: write the files of the certificates, "
                 "caCertificates and clientCertificate");
  }
  fields.ignore({"credentialName", "caCrl"});
  const bool pair = !upstream.client_certificate.empty() && !upstream.private_key.empty();
  if (mutual && !pair)
    fields.error("mode", "MUTUAL without clientCertificate and privateKey: write both files");
  if (!simple && !mutual && mode != "DISABLE" && mode != "ISTIO_MUTUAL") {
    fields.error("mode", fmt::format("{} is none: write DISABLE, SIMPLE, MUTUAL or ISTIO_MUTUAL",
                                     in_quotes(mode)));
  }
  fields.finish();
  if (simple || mutual) {
    fields.warn("mode",
                "TLS to the endpoints themselves is not done by this version: a waypoint "
                "answers requests to them 503, rather than send them in the clear");
    tls.upstream = std::move(upstream);
  }
  policy.tls = std::move(tls);
}

void read_retry_budget(Fields& fields, TrafficPolicyObject& policy) {
  TrafficPolicyObject::RetryBudget budget;
  budget.percent = read_decimal(fields, "percent", 0, 100).value_or(budget.percent);
  budget.min = read_count(fields, "minRetryConcurrency", kCountMax).value_or(budget.min);
  fields.finish();
  policy.retry_budget = budget;
}

// All but the ports.
void read_sections(Fields& fields, TrafficPolicyObject& policy) {
  if (Fields balancer = fields.map("loadBalancer"); balancer.present())
    read_load_balancer(balancer, policy);
  if (Fields pool = fields.map("connectionPool"); pool.present())
    read_connection_pool(pool, policy);
  if (Fields outlier = fields.map("outlierDetection"); outlier.present())
    read_outlier_detection(outlier, policy);
  if (Fields tls = fields.map("tls"); tls.present()) read_tls(tls, policy);
  if (Fields budget = fields.map("retryBudget"); budget.present())
    read_retry_budget(budget, policy);
}

void refuse_unread(Fields& fields) {
  for (const std::string_view name : {"tunnel", "proxyProtocol"}) {
    if (fields.has(name)) fields.warn(name, "is not supported: it has no effect");
  }
  fields.ignore({"tunnel", "proxyProtocol"});
}

}  // namespace

TrafficPolicyObject read_traffic_policy(Fields& fields) {
  TrafficPolicyObject policy;
  read_sections(fields, policy);
  std::size_t ports = 0;
  fields.each("portLevelSettings", [&](Fields& item) {
    Fields port = item.map("port");
    const auto number = port.port("number");
    port.finish();
    if (!number) item.error("port", "missing: write {number: ...}");
    TrafficPolicyObject of_port;
    if (++ports <= kItemsMax) read_sections(item, of_port);
    refuse_unread(item);
    item.finish();
    if (number) policy.ports.emplace(*number, std::move(of_port));
  });
  (void)within(fields, "portLevelSettings", ports, kItemsMax);
  refuse_unread(fields);
  fields.finish();
  return policy;
}

}  // namespace aquifer::manifests
