// What the mesh knows about one pod, VM or external host: names, identity, addresses, and how to
// reach it. Records are immutable once they are in a snapshot; a connection keeps the one it
// decided with.
#pragma once

#include "common/base/address.h"
#include "common/base/spiffe.h"
#include "config/model/waypoint.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace aquifer::model {

/// What created the pod: the kind in `k8s.<type>.name` of the baggage.
enum class WorkloadType : std::uint8_t { deployment, cronjob, pod, job };

/// How other workloads reach this one.
enum class TunnelProtocol : std::uint8_t { tcp, hbone };

/// Pods of the host's network share its addresses and so are never found by address.
enum class NetworkMode : std::uint8_t { standard, host_network };

enum class Health : std::uint8_t { healthy, unhealthy };

/// Does this mesh want the pod's traffic redirected into the proxy of its node?
enum class Capture : std::uint8_t { no, yes };

struct Locality {
  std::string region;
  std::string zone;
  std::string subzone;
  friend bool operator==(const Locality&, const Locality&) = default;
};

struct Workload {
  /// Unique in the mesh, in Istio's form: CLUSTER//Pod/NAMESPACE/NAME.
  std::string uid;
  std::string name;
  std::string ns;
  /// Empty for what has none, such as an address of an EndpointSlice that is no pod.
  SpiffeId identity;
  /// metadata.uid: tells a pod that was deleted and made again from one that was only changed.
  std::string pod_uid;
  std::string node;
  std::string cluster_id;
  std::string network;

  std::string workload_name;
  WorkloadType workload_type = WorkloadType::pod;
  std::string canonical_name;
  std::string canonical_revision;
  Locality locality;

  /// The primary address first.
  std::vector<IpAddress> addresses;
  /// Resolved for each connection, where there are no addresses: a host outside the cluster.
  std::string hostname;
  TunnelProtocol protocol = TunnelProtocol::tcp;
  /// Where the tunnel to this workload ends. Never taken from a constant by the data path.
  std::uint16_t tunnel_port = kDefaultTunnelPort;
  NetworkMode network_mode = NetworkMode::standard;
  Health health = Health::healthy;

  Capture capture = Capture::no;
  /// Path of the pod's network namespace, where the mesh directory gives it; else empty.
  std::string netns_path;
  /// NAMESPACE/NAME of the authorization policies that hold for this workload by a selector;
  /// sorted, each once.
  std::vector<std::string> authorization_policies;
  /// The waypoint for traffic addressed to this workload itself.
  std::optional<WaypointRef> waypoint;

  friend bool operator==(const Workload&, const Workload&) = default;
};

using WorkloadPtr = std::shared_ptr<const Workload>;

/// "deployment", "cronjob", "pod", "job".
[[nodiscard]] std::string_view name_of(WorkloadType type) noexcept;
/// "TCP", "HBONE": the spelling of the configuration dump.
[[nodiscard]] std::string_view name_of(TunnelProtocol protocol) noexcept;

/// True when the uid is a pod's; such a workload wins where two have one address.
[[nodiscard]] bool is_pod_uid(std::string_view uid) noexcept;

/// The address of `workload` in the family of `like`, else its primary one; null when it has none.
[[nodiscard]] const IpAddress* address_like(const Workload& workload,
                                            const IpAddress& like) noexcept;

}  // namespace aquifer::model
