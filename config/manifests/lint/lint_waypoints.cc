// Waypoints that are named and not there, not for what names them, or not ready.
#include "config/manifests/lint/lint.h"
#include "config/manifests/lint/words.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <unordered_map>

namespace aquifer::manifests {
namespace {

constexpr std::string_view kUse = "istio.io/use-waypoint";
constexpr std::string_view kFor = "istio.io/waypoint-for";

class WaypointLint {
 public:
  WaypointLint(const Assembly& assembly, Findings& findings)
      : assembly_(assembly), findings_(findings) {
    for (const auto& [name, object] : assembly.waypoints) names_.push_back(name);
  }

  // `own_ns` is where a name without a namespace is looked for; `harm` is what a waypoint that is
  // not there does.
  void look(std::string_view kind, const Metadata& meta, std::string_view own_ns,
            std::string_view harm) {
    const std::string* name = meta.label(kUse);
    if (name == nullptr || name->empty() || *name == "none") return;
    if (meta.label("gateway.networking.k8s.io/gateway-name") != nullptr) return;
    const std::string* ns = meta.label("istio.io/use-waypoint-namespace");
    const std::string wanted = fmt::format("{}/{}", ns != nullptr ? *ns : own_ns, *name);
    const auto at = assembly_.waypoints.find(wanted);
    if (at == assembly_.waypoints.end()) {
      return findings_.error(kind, meta, {"metadata.labels", std::string(kUse)},
                             fmt::format("{}: there is no Gateway {}: {}; {}", kUse, wanted, harm,
                                         mend(wanted, *name)));
    }
    look_at_purpose(kind, meta, at->second->meta);
  }

 private:
  // A Gateway of the same name elsewhere is what is mostly meant.
  [[nodiscard]] std::string mend(const std::string& wanted, std::string_view name) const {
    for (const std::string& known : names_) {
      const std::size_t slash = known.find('/');
      if (std::string_view(known).substr(slash + 1) != name) continue;
      return fmt::format("write istio.io/use-waypoint-namespace: {}", known.substr(0, slash));
    }
    std::vector<std::string_view> known(names_.begin(), names_.end());
    if (const auto near = nearest_word(wanted, known, 2))
      return fmt::format("write {}", near->substr(near->find('/') + 1));
    return "add the Gateway (gatewayClassName: istio-waypoint), or take the label away";
  }

  void look_at_purpose(std::string_view kind, const Metadata& meta, const Metadata& waypoint) {
    const std::string* purpose = waypoint.label(kFor);
    const std::string_view given = purpose != nullptr ? std::string_view(*purpose) : "service";
    const bool services = given == "service" || given == "all";
    const bool workloads = given == "workload" || given == "all";
    const bool used =
        kind == "Pod" ? workloads : (kind == "Namespace" ? services || workloads : services);
    if (used) return;
    findings_.warn(
        kind, meta, {"metadata.labels", std::string(kUse)},
        fmt::format("{}: Gateway {}/{} is for {} ({}) and so stands before no {}: label the "
                    "Gateway {}: {}",
                    kUse, waypoint.ns, waypoint.name, purpose_text(given), kFor,
                    kind == "Pod" ? "pod" : "service", kFor,
                    kind == "Pod" ? "workload, or all" : "service, or all"));
  }

  static std::string_view purpose_text(std::string_view purpose) {
    if (purpose == "service") return "services only";
    if (purpose == "workload") return "workloads only";
    return "nothing";
  }

  const Assembly& assembly_;
  Findings& findings_;
  std::vector<std::string> names_;
};

// Whoever stands behind a waypoint is cut off while nobody answers for it.
class ReadinessLint {
 public:
  ReadinessLint(const Assembly& assembly, Findings& findings)
      : assembly_(assembly), findings_(findings) {
    for (const model::ServiceRecord& record : assembly.state.services) {
      by_key_[model::service_key(record.service->ns, record.service->hostname)] = &record;
      for (const model::NetworkAddress& vip : record.service->vips) by_address_[vip.ip] = &record;
      for (const model::WaypointRef& ref : record.service->waypoints) used_.emplace(ref.name, ref);
    }
    for (const model::WorkloadPtr& workload : assembly.state.workloads) {
      if (workload->waypoint) used_.emplace(workload->waypoint->name, *workload->waypoint);
    }
  }

  void look() {
    for (const auto& [name, ref] : used_) {
      const auto gateway = assembly_.waypoints.find(name);
      if (gateway == assembly_.waypoints.end()) continue;  // said where it is named
      const model::ServiceRecord* record = service_of(ref);
      if (record == nullptr && ref.address && is_pod(ref.address->ip)) continue;
      if (record != nullptr && is_served(*record)) continue;
      findings_.error(
          "Gateway", gateway->second->meta, {"metadata.name", ""},
          fmt::format(
              "{}: connections of those who name this waypoint are REFUSED; {}",
              record == nullptr ? "no Service stands for it" : "no ready pod answers for it",
              record == nullptr ? "add the Service that Istio makes for it"
                                : fmt::format("look at the pods of Service {}/{}",
                                              record->service->ns, record->service->name)));
    }
  }

 private:
  [[nodiscard]] const model::ServiceRecord* service_of(const model::WaypointRef& ref) const {
    if (ref.address) {
      const auto at = by_address_.find(ref.address->ip);
      return at == by_address_.end() ? nullptr : at->second;
    }
    const auto at = by_key_.find(model::service_key(ref.ns, ref.hostname));
    return at == by_key_.end() ? nullptr : at->second;
  }
  [[nodiscard]] bool is_pod(const IpAddress& ip) const {
    const auto at = assembly_.pods_by_address.find(ip);
    return at != assembly_.pods_by_address.end() && at->second->ready;
  }
  static bool is_served(const model::ServiceRecord& record) {
    return std::ranges::any_of(record.endpoints->endpoints, [](const model::Endpoint& endpoint) {
      return endpoint.health == model::Health::healthy;
    });
  }

  const Assembly& assembly_;
  Findings& findings_;
  std::map<std::string, model::WaypointRef> used_;
  std::unordered_map<std::string, const model::ServiceRecord*> by_key_;
  std::unordered_map<IpAddress, const model::ServiceRecord*> by_address_;
};

}  // namespace

void lint_waypoints(const LintMesh& mesh, Findings& findings) {
  const Assembly& assembly = mesh.assembly;
  WaypointLint lint(assembly, findings);
  assembly.for_each(&FileObjects::namespaces, [&](const NamespaceObject& ns) {
    lint.look("Namespace", ns.meta, ns.meta.name, "connections to its services are REFUSED");
  });
  assembly.for_each(&FileObjects::services, [&](const ServiceObject& service) {
    lint.look("Service", service.meta, service.meta.ns, "connections to it are REFUSED");
  });
  assembly.for_each(&FileObjects::pods, [&](const PodObject& pod) {
    lint.look("Pod", pod.meta, pod.meta.ns, "connections to its address are REFUSED");
  });
  ReadinessLint(assembly, findings).look();
}

}  // namespace aquifer::manifests
