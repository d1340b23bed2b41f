#include "config/manifests/waypoints.h"

#include "config/manifests/read_objects.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

namespace aquifer::manifests {
namespace {

constexpr std::string_view kUse = "istio.io/use-waypoint";
constexpr std::string_view kCanary = "istio.io/use-waypoint-canary";
constexpr std::string_view kCanaryWeight = "istio.io/use-waypoint-canary-weight";
constexpr std::string_view kWaypointFor = "istio.io/waypoint-for";
constexpr std::string_view kGatewayName = "gateway.networking.k8s.io/gateway-name";
constexpr std::uint32_t kWholeWeight = 100;

// Who named a waypoint: the object, or its namespace.
struct NamedBy {
  const Metadata* meta = nullptr;
  bool object_itself = false;
};

// The labels that count: the object's own where it has the label at all, else the namespace's.
NamedBy named_by(const Assembly& assembly, const Metadata& meta, std::string_view label) {
  // A waypoint does not stand behind itself.
  if (meta.label(kGatewayName) != nullptr) return {};
  if (meta.label(label) != nullptr) return {&meta, true};
  const auto ns = assembly.namespaces.find(meta.ns);
  if (ns == assembly.namespaces.end() || ns->second->meta.label(label) == nullptr) return {};
  return {&ns->second->meta, false};
}

// NAMESPACE/NAME; empty when the label says that there is to be none.
std::string name_in(const Metadata& labelled, std::string_view object_ns, std::string_view label) {
  const std::string* name = labelled.label(label);
  if (name == nullptr || name->empty() || *name == "none") return {};
  const std::string* ns = labelled.label(fmt::format("{}-namespace", label));
  return fmt::format("{}/{}", ns != nullptr && !ns->empty() ? *ns : object_ns, *name);
}

std::uint32_t canary_weight(const Metadata& labelled) {
  const std::string* text = labelled.annotation(kCanaryWeight);
  std::uint32_t weight = 0;
  if (text == nullptr) return 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), weight);
  const bool whole = error == std::errc{} && end == text->data() + text->size();
  return whole && weight <= kWholeWeight ? weight : 0;
}

const WaypointObject* gateway_of(const Assembly& assembly, const std::string& name) {
  const auto at = assembly.waypoints.find(name);
  return at == assembly.waypoints.end() ? nullptr : at->second;
}

// The name of the service that stands for the gateway: Istio gives both the same name.
std::string service_name(const Assembly& assembly, const Metadata& gateway) {
  std::string labelled;
  bool same_name = false;
  assembly.for_each(&FileObjects::services, [&](const ServiceObject& service) {
    if (service.meta.ns != gateway.ns) return;
    same_name = same_name || service.meta.name == gateway.name;
    const std::string* of = service.meta.label(kGatewayName);
    if (of != nullptr && *of == gateway.name && labelled.empty()) labelled = service.meta.name;
  });
  return same_name || labelled.empty() ? gateway.name : labelled;
}

model::WaypointRef ref_to(const Assembly& assembly, const std::string& name) {
  model::WaypointRef ref;
  ref.name = name;
  const WaypointObject* gateway = gateway_of(assembly, name);
  // Without its Gateway the name leads nowhere, whatever else may be called so.
  if (gateway == nullptr) return ref;
  ref.port = gateway->tunnel_port;
  if (gateway->address) {
    ref.address = model::NetworkAddress{assembly.options.network, *gateway->address};
    return ref;
  }
  ref.ns = gateway->meta.ns;
  ref.hostname = gateway->hostname.empty()
                     ? fmt::format("{}.{}.svc.{}", service_name(assembly, gateway->meta),
                                   gateway->meta.ns, assembly.options.cluster_domain)
                     : gateway->hostname;
  return ref;
}

bool serves(const Assembly& assembly, const std::string& name, bool WaypointPurpose::* whom) {
  const WaypointObject* gateway = gateway_of(assembly, name);
  return gateway == nullptr || purpose_of(*gateway).*whom;
}

}  // namespace

WaypointPurpose purpose_of(const WaypointObject& gateway) {
  const std::string* text = gateway.meta.label(kWaypointFor);
  if (text == nullptr || *text == "service") return {true, false};
  if (*text == "workload") return {false, true};
  if (*text == "all") return {true, true};
  if (*text == "none") return {false, false};
  return {true, false};
}

std::vector<model::WaypointRef> service_waypoints(const Assembly& assembly, const Metadata& meta) {
  const NamedBy by = named_by(assembly, meta, kUse);
  if (by.meta == nullptr) return {};
  const std::string name = name_in(*by.meta, meta.ns, kUse);
  if (name.empty() || !serves(assembly, name, &WaypointPurpose::services)) return {};
  std::vector<model::WaypointRef> refs = {ref_to(assembly, name)};

  // A canary takes its share from a waypoint that is there, never from no waypoint at all.
  const NamedBy canary_by = named_by(assembly, meta, kCanary);
  if (canary_by.meta == nullptr) return refs;
  const std::string canary = name_in(*canary_by.meta, meta.ns, kCanary);
  const std::uint32_t weight = canary_weight(*canary_by.meta);
  if (canary.empty() || weight == 0) return refs;
  refs.push_back(ref_to(assembly, canary));
  refs.back().weight = weight;
  refs.front().weight = kWholeWeight - weight;
  return refs;
}

std::optional<model::WaypointRef> workload_waypoint(const Assembly& assembly,
                                                    const Metadata& meta) {
  const NamedBy by = named_by(assembly, meta, kUse);
  if (by.meta == nullptr) return std::nullopt;
  const std::string name = name_in(*by.meta, meta.ns, kUse);
  if (name.empty()) return std::nullopt;
  if (gateway_of(assembly, name) == nullptr && !by.object_itself) return std::nullopt;
  if (!serves(assembly, name, &WaypointPurpose::workloads)) return std::nullopt;
  return ref_to(assembly, name);
}

void check_waypoint_labels(Assembly& assembly, const Metadata& meta, std::string_view kind) {
  for (const std::string_view label : {kUse, kCanary}) {
    if (meta.label(label) == nullptr) continue;
    const std::string name = name_in(meta, meta.ns.empty() ? meta.name : meta.ns, label);
    if (name.empty()) continue;
    const auto warn = [&](std::string text) {
      assembly.report_at(Severity::warning, meta.origin, object_name(kind, meta), "metadata.labels",
                         fmt::format("{}: {}", label, text));
    };
    const WaypointObject* gateway = gateway_of(assembly, name);
    if (gateway == nullptr) {
      warn(
          fmt::format("there is no waypoint {}: connections that would pass it are REFUSED; write "
                      "the name of a Gateway of class istio-waypoint",
                      name));
      continue;
    }
    const std::string& ns = meta.ns.empty() ? meta.name : meta.ns;
    if (gateway->meta.ns != ns && !gateway->other_namespaces) {
      warn(
          fmt::format("waypoint {} does not say that other namespaces may use it, which Istio "
                      "insists on: write allowedRoutes.namespaces.from: All into its listener",
                      name));
    }
  }
}

void check_waypoints(Assembly& assembly) {
  assembly.for_each(&FileObjects::waypoints, [&](const WaypointObject& gateway) {
    const std::string* text = gateway.meta.label(kWaypointFor);
    const bool known = text == nullptr || *text == "service" || *text == "workload" ||
                       *text == "all" || *text == "none";
    if (known) return;
    assembly.report_at(Severity::warning, gateway.meta.origin, object_name("Gateway", gateway.meta),
                       "metadata.labels",
                       fmt::format("{}: \"{}\" is not known and read as service: write service, "
                                   "workload, all or none",
                                   kWaypointFor, text->substr(0, 60)));
  });
}

}  // namespace aquifer::manifests
