// The manifests as they are written: the fields that count of each kind, typed and checked one by
// one. What they mean together is decided in assemble.h.
#pragma once

#include "common/base/address.h"
#include "config/manifests/diagnostic.h"
#include "config/manifests/fields.h"
#include "config/manifests/network_objects.h"
#include "config/manifests/object_meta.h"
#include "config/manifests/route_objects.h"
#include "config/manifests/security/security_objects.h"
#include "config/manifests/service_entry_objects.h"
#include "config/manifests/traffic_objects.h"
#include "config/model/authorization_policy.h"
#include "config/model/egress_policy.h"
#include "config/model/l7/request_policy.h"
#include "config/model/mesh_config.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace aquifer::manifests {

struct NamespaceObject {
  Metadata meta;
};

/// A machine of the cluster: where its pods are.
struct NodeObject {
  Metadata meta;
};

struct NamedPort {
  std::string name;
  std::uint16_t number = 0;
};

struct PodObject {
  Metadata meta;
  std::string service_account;
  std::string node;
  std::vector<IpAddress> addresses;
  /// Of the node that it runs on.
  std::vector<IpAddress> host_addresses;
  /// TCP ports that have a name.
  std::vector<NamedPort> named_ports;
  /// All TCP ports that its containers declare.
  std::vector<std::uint16_t> ports;
  std::string phase;
  bool host_network = false;
  bool ready = false;
};

struct ServicePortObject {
  std::string name;
  std::uint16_t port = 0;
  /// 0 when target_name is to be looked up in each pod.
  std::uint16_t target = 0;
  std::string target_name;
  std::string app_protocol;
  std::uint32_t line = 0;
};

struct ServiceObject {
  Metadata meta;
  std::string type;
  std::vector<IpAddress> addresses;
  bool headless = false;
  std::vector<ServicePortObject> ports;
  StringMap selector;
  std::string external_name;
  /// As written; none: as the addresses say.
  std::vector<std::string> ip_families;
  bool publish_not_ready = false;
  std::string traffic_distribution;
  std::string internal_traffic_policy;
};

struct SliceEndpoint {
  std::vector<IpAddress> addresses;
  bool ready = true;
  /// Empty when the endpoint is no pod.
  std::string pod_ns;
  std::string pod_name;
  std::string node;
  std::string zone;
};

struct SlicePort {
  std::string name;
  /// None: all ports, unchanged.
  std::optional<std::uint16_t> port;
};

struct EndpointSliceObject {
  Metadata meta;
  std::string service;
  std::vector<SliceEndpoint> endpoints;
  std::vector<SlicePort> ports;
};

struct MeshConfigObject {
  Metadata meta;
  model::MeshConfig config;
};

/// A Gateway of class istio-waypoint: where it is found and whom it serves.
struct WaypointObject {
  Metadata meta;
  /// From its status, or what stands for it. Without either, it is found by its service's name.
  std::optional<IpAddress> address;
  std::string hostname;
  std::uint16_t tunnel_port = 15008;
  /// Do its listeners take other namespaces than its own?
  bool other_namespaces = false;
};

struct AuthorizationPolicyObject {
  Metadata meta;
  /// Labels that a workload must have; without any, all of the namespace are meant.
  StringMap selector;
  /// It has targetRefs: a waypoint's business, and `requests` is what it says.
  bool for_waypoint = false;
  std::vector<TargetRefObject> targets;
  l7::RequestPolicy requests;
  /// AUDIT and CUSTOM have no meaning here; the reader said so.
  bool supported_action = true;
  /// All but the scope, which depends on the mesh's root namespace.
  model::AuthorizationPolicy policy;
};

enum class MtlsMode : std::uint8_t { unset, strict, permissive, disable };

struct PeerAuthenticationObject {
  Metadata meta;
  StringMap selector;
  MtlsMode mode = MtlsMode::unset;
  std::map<std::uint16_t, MtlsMode> ports;
};

struct NetworkPolicyObject {
  Metadata meta;
  LabelSelector pods;
  /// None: the policy says nothing about that direction.
  std::optional<std::vector<NetworkRuleObject>> ingress;
  std::optional<std::vector<NetworkRuleObject>> egress;
};

struct EgressPolicyObject {
  Metadata meta;
  StringMap selector;
  /// All but whom it selects, which needs the mesh.
  model::EgressPolicy policy;
};

/// An object whose kind is not read.
struct OtherObject {
  std::string api_group;
  std::string kind;
  /// "Kind ns/name".
  std::string object;
  Origin origin;
};

/// All that one file holds.
struct FileObjects {
  std::vector<NamespaceObject> namespaces;
  std::vector<PodObject> pods;
  std::vector<ServiceObject> services;
  std::vector<EndpointSliceObject> slices;
  std::vector<MeshConfigObject> mesh_configs;
  std::vector<WaypointObject> waypoints;
  std::vector<AuthorizationPolicyObject> authorization_policies;
  std::vector<PeerAuthenticationObject> peer_authentications;
  std::vector<RequestAuthenticationObject> request_authentications;
  std::vector<NetworkPolicyObject> network_policies;
  std::vector<EgressPolicyObject> egress_policies;
  std::vector<ServiceEntryObject> service_entries;
  std::vector<WorkloadEntryObject> workload_entries;
  std::vector<NodeObject> nodes;
  std::vector<RouteObject> http_routes;
  std::vector<RouteObject> grpc_routes;
  std::vector<RouteObject> tls_routes;
  std::vector<RouteObject> tcp_routes;
  std::vector<ReferenceGrantObject> reference_grants;
  std::vector<VirtualServiceObject> virtual_services;
  std::vector<DestinationRuleObject> destination_rules;
  std::vector<OtherObject> others;
  /// Objects of every kind.
  std::size_t objects = 0;
  Report report;
};

}  // namespace aquifer::manifests
