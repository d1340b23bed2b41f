// A cluster: the endpoints of one port of a service, or of a subset of it, and how requests are
// spread over them. Plain values, immutable once they are in a book.
#pragma once

#include "common/base/time.h"

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace aquifer::l7 {

/// What the endpoints are spoken to in.
enum class UpstreamProtocol : std::uint8_t {
  http1,
  http2,           ///< with prior knowledge (h2c inside the tunnel)
  same_as_client,  ///< nobody says: HTTP/2 for gRPC, else HTTP/1.1
};

enum class BalancerKind : std::uint8_t {
  least_request,  ///< the less busy of two random ones: Istio's default
  round_robin,
  random,
  ewma,  ///< the better of two random ones by latency and load, as Linkerd's
  ring_hash,
  maglev,
};

/// What a request is hashed by, in order; the first that is there decides unless it is not
/// terminal.
struct HashSource {
  enum class Kind : std::uint8_t { header, cookie, query, source_ip, source_identity };
  Kind kind = Kind::header;
  std::string name;
  /// Cookies: made for clients without one, with this life; none: not made.
  std::optional<std::chrono::seconds> cookie_ttl;
  std::string cookie_path;
  friend bool operator==(const HashSource&, const HashSource&) = default;
};

/// From one locality to others, by weight (DestinationRule localityLbSetting.distribute) or by
/// preference (failover, failoverPriority).
struct LocalityRule {
  std::string from;                         ///< "region/zone/subzone", "*" at the end
  std::map<std::string, std::uint32_t> to;  ///< shares of 100
  friend bool operator==(const LocalityRule&, const LocalityRule&) = default;
};

struct Balancing {
  BalancerKind kind = BalancerKind::least_request;
  std::vector<HashSource> hash;
  std::uint32_t ring_size_min = 1024;
  std::uint32_t maglev_table = 65537;
  Duration slow_start{};  ///< a new endpoint gets its full share after this; zero: at once
  double slow_start_aggression = 1.0;
  std::uint32_t slow_start_min_percent = 10;  ///< of its full share, from the start
  /// Percent of healthy endpoints below which health is ignored. Istio's default is 0: never.
  std::uint32_t panic_percent = 0;
  std::vector<LocalityRule> distribute;
  /// Region -> region to fail over to.
  std::map<std::string, std::string> failover;
  /// Nearer localities first, farther ones only when too few of the nearer are healthy.
  bool prefer_near = false;
  friend bool operator==(const Balancing&, const Balancing&) = default;
};

/// Circuit breaking: what a cluster may have under way at once. Counted for the whole program.
struct PoolLimits {
  static constexpr std::uint32_t kUnlimited = std::numeric_limits<std::uint32_t>::max();
  std::uint32_t connections_max = kUnlimited;
  std::uint32_t pending_max = kUnlimited;  ///< requests that wait for a connection
  std::uint32_t requests_max = kUnlimited;
  std::uint32_t retries_max = kUnlimited;
  /// Percent of the requests under way that may be retries; none: retries_max alone counts.
  std::optional<double> retry_budget_percent;
  std::uint32_t retry_budget_min = 3;
  std::uint32_t requests_per_connection_max = 0;   ///< 0: any number
  std::uint32_t streams_per_connection_max = 100;  ///< HTTP/2
  Duration connect_timeout = std::chrono::seconds(10);
  Duration idle_timeout = std::chrono::hours(1);
  Duration connection_age_max{};  ///< zero: none
  friend bool operator==(const PoolLimits&, const PoolLimits&) = default;
};

/// Endpoints that fail are left out for a while.
struct OutlierDetection {
  std::uint32_t consecutive_5xx = 0;             ///< 0: not looked at
  std::uint32_t consecutive_gateway_errors = 0;  ///< 502, 503, 504, and failures of connections
  std::uint32_t consecutive_local_failures = 0;  ///< with split_local: connections alone
  bool split_local = false;
  Duration interval = std::chrono::seconds(10);
  Duration base_ejection = std::chrono::seconds(30);
  Duration ejection_max = std::chrono::seconds(300);
  std::uint32_t ejected_percent_max = 10;
  std::uint32_t healthy_percent_min = 0;  ///< below: nobody is left out
  friend bool operator==(const OutlierDetection&, const OutlierDetection&) = default;
};

/// TLS to the endpoints themselves, inside the tunnel (DestinationRule tls SIMPLE,
/// BackendTLSPolicy).
struct UpstreamTls {
  std::string server_name;
  std::vector<std::string> subject_alt_names;
  std::string ca_certificates;  ///< a file; empty: the system's
  /// Files, both or none: what the endpoints are shown (mode MUTUAL).
  std::string client_certificate;
  std::string private_key;
  bool insecure_skip_verify = false;
  friend bool operator==(const UpstreamTls&, const UpstreamTls&) = default;
};

struct Cluster {
  /// NAMESPACE/HOSTNAME:PORT, with /SUBSET behind it for a subset.
  std::string key;
  std::string service_ns;
  std::string hostname;
  std::uint16_t port = 0;
  std::string subset;
  /// Uids of the workloads of a subset, sorted. None: all endpoints of the service.
  std::optional<std::vector<std::string>> members;
  UpstreamProtocol protocol = UpstreamProtocol::http1;
  Balancing balancing;
  PoolLimits limits;
  std::optional<OutlierDetection> outlier;
  std::optional<UpstreamTls> tls;

  friend bool operator==(const Cluster&, const Cluster&) = default;
};

using ClusterPtr = std::shared_ptr<const Cluster>;

[[nodiscard]] std::string cluster_key(std::string_view ns, std::string_view hostname,
                                      std::uint16_t port, std::string_view subset = {});

/// Envoy's spelling, for UPSTREAM_CLUSTER of the access log:
/// `inbound-vip|80|http/v1|web.shop.svc.cluster.local`.
[[nodiscard]] std::string display_name(const Cluster& cluster);

}  // namespace aquifer::l7
