// What the operator asked for: flags over environment over defaults. Immutable once the program
// runs, shared by all threads. Names, defaults and meanings of the environment are those of Istio's
// ztunnel.
#pragma once

#include "common/base/address.h"
#include "common/base/environment.h"
#include "common/base/log.h"
#include "common/hbone/pool.h"
#include "common/io/loop.h"
#include "common/io/socket_options.h"
#include "common/telemetry/access_filter.h"
#include "common/telemetry/metrics.h"
#include "common/tls/context.h"
#include "ztunnel/capture/constants.h"
#include "ztunnel/dns/resolv_conf.h"

#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

namespace aquifer::ztunnel {

/// ENABLE_ORIG_SRC: is the client's address kept towards the application?
enum class OriginalSource : std::uint8_t { automatic, required, off };

/// AQUIFER_SAME_NODE: may connections between two pods of this node stay inside the proxy?
enum class SameNodePath : std::uint8_t { off, on };

/// The DNS proxy in each captured pod.
struct DnsSettings {
  bool capture = true;         ///< ISTIO_META_DNS_CAPTURE
  std::uint16_t port = 15053;  ///< ISTIO_META_DNS_PROXY_ADDR, on the pod's loopback
  /// AQUIFER_DNS_UPSTREAM: asked instead of the servers in /etc/resolv.conf.
  std::optional<dns::Servers> upstream;
  std::string preferred_namespace;  ///< PREFERED_SERVICE_NAMESPACE
};

struct Settings {
  std::string mesh_path;  ///< --mesh
  std::string node;       ///< --node, NODE_NAME
  std::string ca_dir;     ///< --ca-dir

  io::BackendChoice backend = io::BackendChoice::automatic;  ///< AQUIFER_IO
  std::uint32_t workers = 2;                                 ///< ZTUNNEL_WORKER_THREADS
  std::string network;                                       ///< NETWORK
  std::string cluster_id = "Kubernetes";                     ///< CLUSTER_ID, ISTIO_META_CLUSTER_ID
  std::string cluster_domain = "cluster.local";              ///< CLUSTER_DOMAIN
  std::uint32_t packet_mark = kProxyMark;                    ///< PACKET_MARK
  OriginalSource original_source = OriginalSource::automatic;
  SameNodePath same_node = SameNodePath::on;
  bool ipv6 = true;               ///< IPV6_ENABLED
  bool port_reuse = true;         ///< INPOD_PORT_REUSE
  bool response_baggage = true;   ///< ENABLE_RESPONSE_BAGGAGE
  bool keepalive_enabled = true;  ///< KEEPALIVE_ENABLED
  io::Keepalive keepalive;        ///< KEEPALIVE_TIME, _INTERVAL, _RETRIES, USER_TIMEOUT_ENABLED
  /// AQUIFER_EARLY_DATA: are a client's first bytes sent with the CONNECT?
  bool early_data = true;
  hbone::PoolOptions pool;  ///< POOL_MAX_STREAMS_PER_CONNECTION, POOL_UNUSED_RELEASE_TIMEOUT
  Duration termination_deadline = std::chrono::seconds(5);  ///< CONNECTION_TERMINATION_DEADLINE
  std::chrono::seconds secret_ttl{86400};                   ///< SECRET_TTL
  /// COMPLIANCE_POLICY=pqc: the hybrid with a post-quantum half, or no tunnel.
  tls::KeyExchange key_exchange = tls::KeyExchange::hybrid_first;
  std::uint16_t admin_port = 15000;  ///< MeshConfig defaultConfig.proxyAdminPort, at start
  std::uint16_t stats_port = 15020;  ///< MeshConfig defaultConfig.statsPort, at start
  std::uint16_t readiness_port = 15021;
  std::string version_tag;  ///< ISTIO_META_ISTIO_VERSION
  DnsSettings dns;
  log::LogOptions log;  ///< RUST_LOG, LOG_FORMAT
  /// What was set and has no effect, to be said at start.
  std::vector<std::string> warnings;
  /// Of lines about what authorization policies decided: info with AUTHZ_POLICY_INFO_LOGGING.
  log::Level policy_log_level = log::Level::debug;
  telemetry::AccessFilter access_log;  ///< AQUIFER_ACCESS_LOG
  /// How long a label set of the traffic metrics is kept after its workload is gone.
  /// AQUIFER_METRICS_SERIES_TTL.
  Duration series_ttl = telemetry::kSeriesTtlDefault;

  /// Bytes received for one pod's applications and not read by them, past which the largest queue
  /// is given up: four tunnels' worth. AQUIFER_POD_QUEUE_BYTES.
  std::uint64_t pod_queue_bytes_max = std::uint64_t{64} << 20;
};

/// The settings without flags, or one line that names the variable, its value and what would be
/// right.
[[nodiscard]] std::expected<Settings, std::string> settings_from(const Environment& environment);

}  // namespace aquifer::ztunnel
