#include "ztunnel/config_dump.h"

#include <nlohmann/json.hpp>

namespace aquifer::ztunnel {
namespace {

using nlohmann::json;

json waypoint_json(const model::WaypointRef& waypoint) {
  const std::string destination =
      waypoint.address ? waypoint.address->network + "/" + waypoint.address->ip.to_string()
                       : waypoint.ns + "/" + waypoint.hostname;
  return json{{"destination", destination}, {"hboneMtlsPort", waypoint.port}};
}

json workload_json(const model::Workload& workload) {
  json addresses = json::array();
  for (const IpAddress& address : workload.addresses) addresses.push_back(address.to_string());
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
      {"authorizationPolicies", json::array()},
      {"capacity", 1},
  };
  if (workload.waypoint) result["waypoint"] = waypoint_json(*workload.waypoint);
  return result;
}

json service_json(const model::ServiceRecord& record) {
  const model::Service& service = *record.service;
  json vips = json::array();
  for (const model::NetworkAddress& vip : service.vips)
    vips.push_back(vip.network + "/" + vip.ip.to_string());
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
             {"port", mapping},
             {"status", endpoint.health == model::Health::healthy ? "Healthy" : "Unhealthy"}};
  }
  json result{{"name", service.name}, {"namespace", service.ns}, {"hostname", service.hostname},
              {"vips", vips},         {"ports", ports},          {"endpoints", endpoints}};
  if (!service.waypoints.empty()) result["waypoint"] = waypoint_json(service.waypoints.front());
  return result;
}

const char* name_of(PodStatus::State state) noexcept {
  switch (state) {
    case PodStatus::State::pending: return "Pending";
    case PodStatus::State::up: return "Up";
    case PodStatus::State::releasing: return "Releasing";
  }
  return "Pending";
}

}  // namespace

json mesh_json(const model::Snapshot& snapshot) {
  json workloads = json::array();
  snapshot.for_each_workload(
      [&](const model::WorkloadPtr& workload) { workloads.push_back(workload_json(*workload)); });
  json services = json::array();
  snapshot.for_each_service(
      [&](const model::ServiceRecordPtr& record) { services.push_back(service_json(*record)); });
  return json{{"workloads", workloads},
              {"services", services},
              {"policies", json::array()},
              {"stagedServices", json::object()}};
}

json pods_json(const std::vector<PodStatus>& pods) {
  json result = json::object();
  for (const PodStatus& pod : pods) {
    json entry{{"state", name_of(pod.state)}, {"info", json{{"name", pod.name}}}};
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
              {"numWorkerThreads", settings.workers},
              {"poolMaxStreamsPerConn", settings.pool.streams_per_tunnel_max},
              {"packetMark", settings.packet_mark},
              {"requireOriginalSource", settings.original_source == OriginalSource::required},
              {"adminPort", settings.admin_port},
              {"statsPort", settings.stats_port},
              {"readinessPort", settings.readiness_port}};
}

}  // namespace aquifer::ztunnel
