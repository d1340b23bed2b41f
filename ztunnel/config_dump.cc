#include "ztunnel/config_dump.h"

#include "common/admin/version.h"
#include "config/ca/cert_dump.h"
#include "ztunnel/policy_dump.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <utility>

namespace aquifer::ztunnel {
namespace {

using nlohmann::json;

// About 200 KiB of text, a millisecond of work.
constexpr std::size_t kObjectsPerPiece = 250;

std::string text_of(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string network_address(std::string_view network, const IpAddress& ip) {
  return fmt::format("{}/{}", network, ip.to_string());
}

/// A waypoint as the peer names it: by its address, or NAMESPACE/HOSTNAME of its service.
json waypoint_json(const model::WaypointRef& waypoint) {
  if (waypoint.address)
    return {{"destination", network_address(waypoint.address->network, waypoint.address->ip)}};
  return {{"destination", waypoint.ns + "/" + waypoint.hostname}};
}

const char* name_of(PodStatus::State state) noexcept {
  switch (state) {
    case PodStatus::State::pending: return "Pending";
    case PodStatus::State::up: return "Up";
    case PodStatus::State::releasing: return "Releasing";
  }
  return "Pending";
}

const char* name_of(model::BalancingMode mode) noexcept {
  switch (mode) {
    case model::BalancingMode::standard: return "Standard";
    case model::BalancingMode::failover: return "Failover";
    case model::BalancingMode::strict: return "Strict";
    case model::BalancingMode::passthrough: return "Passthrough";
  }
  return "Standard";
}

const char* name_of(model::RoutingScope scope) noexcept {
  switch (scope) {
    case model::RoutingScope::network: return "Network";
    case model::RoutingScope::region: return "Region";
    case model::RoutingScope::zone: return "Zone";
    case model::RoutingScope::subzone: return "Subzone";
    case model::RoutingScope::node: return "Node";
    case model::RoutingScope::cluster: return "Cluster";
  }
  return "";
}

const char* protocol_of(const ConnectionFacts& facts) {
  if (facts.transport == telemetry::Transport::same_node) return "same-node";
  return facts.hbone_address.empty() ? "TCP" : "HBONE";
}

json connection_json(const FlowEvent& flow) {
  const ConnectionFacts& facts = flow.facts;
  const bool outbound = facts.direction == telemetry::Direction::outbound;
  json result{
      {"src", facts.source_address.to_string()},
      {"actualDst", (outbound ? facts.destination_address : facts.wanted_address).to_string()},
      {"protocol", protocol_of(facts)}};
  // Inbound the peer says what was asked for by name, if it was.
  if (outbound) {
    result["originalDst"] = facts.wanted_address.to_string();
  } else if (facts.service != nullptr) {
    result["originalDst"] = facts.service->hostname;
  } else {
    result["originalDst"] = nullptr;
  }
  return result;
}

/// The dump from its first key to its last, some objects at a time.
class DumpBody final : public admin::BodySource {
 public:
  explicit DumpBody(DumpParts parts) : parts_(std::move(parts)) {
    parts_.mesh->for_each_workload(
        [this](const model::WorkloadPtr& workload) { workloads_.push_back(workload); });
    parts_.mesh->for_each_service(
        [this](const model::ServiceRecordPtr& service) { services_.push_back(service); });
  }

  coro::Task<std::string> next(coro::CancelSource*) override {
    std::string piece;
    switch (section_) {
      case Section::begin:
        piece = "{\"workloads\":[";
        section_ = Section::workloads;
        break;
      case Section::workloads:
        piece = take(workloads_,
                     [](const model::Workload& workload) { return workload_json(workload); });
        if (!piece.empty()) break;
        piece = "],\n\"services\":[";
        section_ = Section::services;
        at_ = 0;
        break;
      case Section::services:
        piece = take(services_,
                     [](const model::ServiceRecord& service) { return service_json(service); });
        if (!piece.empty()) break;
        piece = rest();
        section_ = Section::end;
        break;
      case Section::end: break;
    }
    co_return piece;
  }

 private:
  enum class Section : std::uint8_t { begin, workloads, services, end };

  template <typename Object, typename ToJson>
  std::string take(const std::vector<std::shared_ptr<const Object>>& objects, ToJson to_json) {
    std::string piece;
    const std::size_t end = std::min(at_ + kObjectsPerPiece, objects.size());
    for (; at_ < end; ++at_) {
      piece += at_ == 0 ? "\n" : ",\n";
      piece += text_of(to_json(*objects[at_]));
    }
    return piece;
  }

  std::string rest() const {
    std::string out = "]";
    const auto add = [&out](const char* key, const json& value) {
      out += fmt::format(",\n\"{}\":{}", key, text_of(value));
    };
    const model::Books& books = parts_.mesh->books();
    add("policies", authorization_json(*books.authorization));
    add("egressPolicies", egress_json(*books.egress));
    add("networkPolicies", network_json(*books.network));
    add("certificates", ca::certificates_json(parts_.certificates));
    add("workloadState", pods_json(*parts_.mesh, parts_.pods, parts_.connections.flows));
    add("stagedServices", json::object());
    add("staticConfig", json{{"workloads", json::array()},
                             {"services", json::array()},
                             {"policies", json::array()}});
    add("config", settings_json(parts_.settings));
    add("version", json::parse(admin::version_json("ztunnel")));
    add("refusal", parts_.refusal);
    return out + "}\n";
  }

  DumpParts parts_;
  std::vector<model::WorkloadPtr> workloads_;
  std::vector<model::ServiceRecordPtr> services_;
  Section section_ = Section::begin;
  std::size_t at_ = 0;
};

}  // namespace

json workload_json(const model::Workload& workload) {
  json addresses = json::array();
  for (const IpAddress& address : workload.addresses) addresses.push_back(address.to_string());
  json locality = json::object();
  if (!workload.locality.region.empty()) locality["region"] = workload.locality.region;
  if (!workload.locality.zone.empty()) locality["zone"] = workload.locality.zone;
  if (!workload.locality.subzone.empty()) locality["subzone"] = workload.locality.subzone;
  json result{
      {"uid", workload.uid},
      {"name", workload.name},
      {"namespace", workload.ns},
      {"trustDomain", workload.identity.trust_domain()},
      {"serviceAccount", workload.identity.service_account()},
      {"workloadIps", addresses},
      {"workloadName", workload.workload_name},
      {"workloadType", model::name_of(workload.workload_type)},
      {"canonicalName", workload.canonical_name},
      {"canonicalRevision", workload.canonical_revision},
      {"node", workload.node},
      {"clusterId", workload.cluster_id},
      {"network", workload.network},
      {"networkMode",
       workload.network_mode == model::NetworkMode::standard ? "Standard" : "HostNetwork"},
      {"protocol", model::name_of(workload.protocol)},
      {"status", workload.health == model::Health::healthy ? "Healthy" : "Unhealthy"},
      {"hostname", ""},
      {"locality", locality},
      {"authorizationPolicies", workload.authorization_policies},
      {"capacity", 1},
  };
  if (workload.waypoint) result["waypoint"] = waypoint_json(*workload.waypoint);
  return result;
}

json service_json(const model::ServiceRecord& record) {
  const model::Service& service = *record.service;
  json vips = json::array();
  bool v4 = false;
  bool v6 = false;
  for (const model::NetworkAddress& vip : service.vips) {
    vips.push_back(network_address(vip.network, vip.ip));
    (vip.ip.is_v4() ? v4 : v6) = true;
  }
  json ports = json::object();
  for (const model::ServicePort& port : service.ports)
    ports[std::to_string(port.port)] = port.target_port;
  json endpoints = json::object();
  for (const model::Endpoint& endpoint : record.endpoints->endpoints) {
    json mapping = json::object();
    for (const model::PortMapping& port : endpoint.ports)
      mapping[std::to_string(port.service_port)] = port.target_port;
    endpoints[endpoint.workload_uid] =
        json{{"workloadUid", endpoint.workload_uid},
             {"service", service.ns + "/" + service.hostname},
             {"port", mapping},
             {"status", endpoint.health == model::Health::healthy ? "Healthy" : "Unhealthy"}};
  }
  json names = json::array();
  for (const SpiffeId& name : service.subject_alt_names) names.push_back(name.to_string());
  json preferences = json::array();
  for (const model::RoutingScope scope : service.balancing.scopes)
    preferences.push_back(name_of(scope));
  json result{{"name", service.name},
              {"namespace", service.ns},
              {"hostname", service.hostname},
              {"vips", vips},
              {"ports", ports},
              {"endpoints", endpoints},
              {"subjectAltNames", names},
              {"ipFamilies", v4 && v6 ? "Dual"
                             : v6     ? "IPv6"
                                      : "IPv4"},
              {"loadBalancer", json{{"mode", name_of(service.balancing.mode)},
                                    {"routingPreferences", preferences},
                                    {"healthPolicy", "OnlyHealthy"}}}};
  if (!service.waypoints.empty()) result["waypoint"] = waypoint_json(service.waypoints.front());
  return result;
}

json pods_json(const model::Snapshot& mesh, const std::vector<PodStatus>& pods,
               const std::vector<FlowEvent>& connections) {
  std::map<std::string, std::pair<json, json>> by_pod;  // inbound, outbound
  for (const FlowEvent& flow : connections) {
    auto& [inbound, outbound] =
        by_pod.try_emplace(pod_of(flow.facts), json::array(), json::array()).first->second;
    const bool out = flow.facts.direction == telemetry::Direction::outbound;
    (out ? outbound : inbound).push_back(connection_json(flow));
  }
  json result = json::object();
  for (const PodStatus& pod : pods) {
    const std::size_t slash = pod.name.find('/');
    json info{{"name", pod.name.substr(slash + 1)}, {"namespace", pod.name.substr(0, slash)}};
    if (const model::WorkloadPtr& workload = mesh.workload_by_uid(pod.uid)) {
      info["trustDomain"] = workload->identity.trust_domain();
      info["serviceAccount"] = workload->identity.service_account();
    }
    auto& [inbound, outbound] =
        by_pod.try_emplace(pod.name, json::array(), json::array()).first->second;
    json entry{{"state", name_of(pod.state)},
               {"info", info},
               {"connections", json{{"inbound", inbound}, {"outbound", outbound}}}};
    if (!pod.why.empty()) entry["why"] = pod.why;
    result[pod.uid] = entry;
  }
  return result;
}

json settings_json(const Settings& settings) {
  return json{{"mesh", settings.mesh_path},
              {"localNode", settings.node},
              {"network", settings.network},
              {"clusterId", settings.cluster_id},
              {"clusterDomain", settings.cluster_domain},
              {"numWorkerThreads", settings.workers},
              {"poolMaxStreamsPerConn", settings.pool.streams_per_tunnel_max},
              {"packetMark", settings.packet_mark},
              {"requireOriginalSource", settings.original_source == OriginalSource::required},
              {"accessLog", settings.access_log.to_string()},
              {"adminPort", settings.admin_port},
              {"statsPort", settings.stats_port},
              {"readinessPort", settings.readiness_port}};
}

std::unique_ptr<admin::BodySource> config_dump_body(DumpParts parts) {
  return std::make_unique<DumpBody>(std::move(parts));
}

}  // namespace aquifer::ztunnel
