// What the operator asked for: flags over environment over defaults. Immutable once the program
// runs, shared by all threads. Names of the environment are those of Istio's proxies.
#pragma once

#include "common/base/environment.h"
#include "common/base/log.h"
#include "common/hbone/pool.h"
#include "common/io/loop.h"
#include "common/telemetry/access_filter.h"
#include "common/tls/context.h"
#include "config/manifests/mesh_source.h"
#include "waypoint/plain_listener.h"

#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>

namespace aquifer::waypoint {

struct Settings {
  std::string mesh_path;              ///< --mesh
  std::string gateway;                ///< --gateway NAMESPACE/NAME
  std::string ca_dir;                 ///< --ca-dir
  std::optional<PlainService> plain;  ///< --plain

  io::BackendChoice backend = io::BackendChoice::automatic;  ///< AQUIFER_IO
  std::uint32_t workers = 2;                                 ///< AQUIFER_WORKER_THREADS
  std::string network;                                       ///< NETWORK
  std::string cluster_id = "Kubernetes";                     ///< CLUSTER_ID
  std::string cluster_domain = "cluster.local";              ///< CLUSTER_DOMAIN
  hbone::PoolOptions pool;  ///< POOL_MAX_STREAMS_PER_CONNECTION, POOL_UNUSED_RELEASE_TIMEOUT
  Duration drain_deadline = std::chrono::seconds(5);  ///< TERMINATION_DRAIN_DURATION_SECONDS
  /// How long a connection of unknown protocol may be silent before it counts as one whose server
  /// speaks first. AQUIFER_PROTOCOL_DETECTION_TIMEOUT.
  Duration detection_timeout = std::chrono::seconds(1);
  /// From the first byte of a request's head to its last: a client that is slower holds a place for
  /// nothing. AQUIFER_REQUEST_HEAD_TIMEOUT.
  Duration head_timeout = std::chrono::seconds(30);
  std::chrono::seconds secret_ttl{86400};                          ///< SECRET_TTL
  tls::KeyExchange key_exchange = tls::KeyExchange::hybrid_first;  ///< COMPLIANCE_POLICY
  bool ipv6 = true;                                                ///< IPV6_ENABLED
  std::uint16_t tunnel_port = 15008;
  std::uint16_t admin_port = 15000;
  std::uint16_t stats_port = 15020;
  std::uint16_t readiness_port = 15021;
  std::string version_tag;             ///< ISTIO_META_ISTIO_VERSION
  log::LogOptions log;                 ///< RUST_LOG, LOG_FORMAT
  telemetry::AccessFilter access_log;  ///< AQUIFER_ACCESS_LOG
};

/// The settings without flags, or one line that names the variable, its value and what would be
/// right.
[[nodiscard]] std::expected<Settings, std::string> settings_from(const Environment& environment);

[[nodiscard]] manifests::LoadOptions load_options_of(const Settings& settings);

}  // namespace aquifer::waypoint
