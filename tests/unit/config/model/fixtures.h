// Small meshes for the tests of config/model.
#pragma once

#include "config/model/snapshot.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace aquifer::model::test {

inline IpAddress ip(std::string_view text) {
  return IpAddress::parse(text).value();
}
inline OriginalDst dst(std::string_view text) {
  return OriginalDst(SocketAddress::parse(text).value());
}

/// A captured pod of the namespace "default"; tests change what they are about.
inline Workload pod(const std::string& name, std::string_view address) {
  Workload workload;
  workload.uid = "Kubernetes//Pod/default/" + name;
  workload.name = name;
  workload.ns = "default";
  workload.identity = SpiffeId::make("cluster.local", "default", name).value();
  workload.pod_uid = name + "-uid";
  workload.node = "node1";
  workload.cluster_id = "Kubernetes";
  workload.workload_name = name;
  workload.canonical_name = name;
  workload.canonical_revision = "latest";
  workload.addresses = {ip(address)};
  workload.protocol = TunnelProtocol::hbone;
  workload.capture = Capture::yes;
  return workload;
}

inline WorkloadPtr share(Workload workload) {
  return std::make_shared<const Workload>(std::move(workload));
}

/// Service "server" on port 80 -> 8080, with one healthy endpoint for each workload.
inline ServiceRecord service(std::string_view vip, const std::vector<WorkloadPtr>& workloads) {
  Service result;
  result.ns = "default";
  result.name = "server";
  result.hostname = "server.default.svc.cluster.local";
  result.vips = {{"", ip(vip)}};
  result.ports = {{.port = 80,
                   .name = "http",
                   .target_port = 8080,
                   .target_port_name = "",
                   .app_protocol = ""}};
  EndpointSet set;
  for (const WorkloadPtr& workload : workloads) {
    set.endpoints.push_back({.workload_uid = workload->uid,
                             .health = Health::healthy,
                             .weight = 1,
                             .ports = {{80, 8080}}});
  }
  return {std::make_shared<const Service>(result), std::make_shared<const EndpointSet>(set)};
}

inline SnapshotPtr snapshot(std::vector<WorkloadPtr> workloads,
                            std::vector<ServiceRecord> services = {}) {
  Changes changes;
  changes.upserted_workloads = std::move(workloads);
  changes.upserted_services = std::move(services);
  return Snapshot().apply(changes);
}

}  // namespace aquifer::model::test
