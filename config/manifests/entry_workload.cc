#include "config/manifests/entry_workload.h"

#include "config/manifests/enrolment.h"
#include "config/manifests/read_objects.h"
#include "config/manifests/waypoints.h"

#include <fmt/format.h>

#include <memory>
#include <utility>

namespace aquifer::manifests {
namespace {

// REGION/ZONE/SUBZONE, as much as is there.
model::Locality parse_locality(std::string_view text) {
  model::Locality locality;
  for (std::string* part : {&locality.region, &locality.zone, &locality.subzone}) {
    const std::size_t slash = text.find('/');
    *part = text.substr(0, slash);
    if (slash == std::string_view::npos) break;
    text.remove_prefix(slash + 1);
  }
  return locality;
}

bool has_value(const StringMap& map, std::string_view name, std::string_view value) {
  const auto at = map.find(name);
  return at != map.end() && at->second == value;
}

// A VM in the mesh says so: its own proxy takes tunnels.
bool speaks_hbone(const Metadata& meta, const EntrySpec& spec) {
  return has_value(spec.labels, "networking.istio.io/tunnel", "http") ||
         has_value(meta.annotations, "ambient.istio.io/redirection", "enabled");
}

}  // namespace

std::string workload_entry_uid(const Assembly& assembly, const Metadata& meta) {
  return fmt::format("{}/networking.istio.io/WorkloadEntry/{}/{}", assembly.options.cluster_id,
                     meta.ns, meta.name);
}

std::string entry_endpoint_uid(const Assembly& assembly, const Metadata& entry,
                               std::string_view place) {
  return fmt::format("{}/networking.istio.io/ServiceEntry/{}/{}/{}", assembly.options.cluster_id,
                     entry.ns, entry.name, place);
}

std::string place_of(const EntrySpec& spec) {
  return spec.address ? spec.address->to_string() : spec.hostname;
}

model::Workload entry_workload(const Assembly& assembly, const Metadata& meta,
                               const EntrySpec& spec, std::string uid) {
  // The helpers for names and localities look at a pod's labels: this is what it has of one.
  Metadata labelled = meta;
  labelled.labels = spec.labels;
  model::Workload workload;
  workload.uid = std::move(uid);
  workload.name = meta.name;
  workload.ns = meta.ns;
  workload.cluster_id = assembly.options.cluster_id;
  const std::string* network = labelled.label("topology.istio.io/network");
  workload.network = !spec.network.empty() ? spec.network
                     : network != nullptr  ? *network
                                           : assembly.options.network;
  workload.workload_name = meta.name;
  workload.canonical_name = canonical_name(labelled, meta.name);
  workload.canonical_revision = canonical_revision(labelled);
  workload.locality = spec.locality.empty() ? locality(labelled) : parse_locality(spec.locality);
  if (spec.address) workload.addresses = {*spec.address};
  workload.hostname = spec.hostname;
  const bool hbone = speaks_hbone(meta, spec);
  workload.protocol = hbone ? model::TunnelProtocol::hbone : model::TunnelProtocol::tcp;
  // An external host has no identity unless it is given one.
  if (hbone || !spec.service_account.empty()) {
    const std::string_view account =
        spec.service_account.empty() ? std::string_view("default") : spec.service_account;
    workload.identity = SpiffeId::make(assembly.state.mesh_config.trust_domain, meta.ns, account)
                            .value_or(SpiffeId());
  }
  return workload;
}

void add_workload_entries(Assembly& assembly) {
  assembly.for_each(&FileObjects::workload_entries, [&](const WorkloadEntryObject& entry) {
    check_waypoint_labels(assembly, entry.meta, "WorkloadEntry");
    model::Workload workload =
        entry_workload(assembly, entry.meta, entry.spec, workload_entry_uid(assembly, entry.meta));
    workload.health = entry.healthy ? model::Health::healthy : model::Health::unhealthy;
    workload.waypoint = workload_waypoint(assembly, entry.meta);
    assembly.state.workloads.push_back(
        std::make_shared<const model::Workload>(std::move(workload)));
  });
}

}  // namespace aquifer::manifests
