// Services that nobody serves, and slices that serve nobody.
#include "config/manifests/lint/lint.h"
#include "config/manifests/lint/pod_index.h"
#include "config/manifests/lint/words.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

namespace aquifer::manifests {
namespace {

class ServiceLint {
 public:
  ServiceLint(const LintMesh& mesh, Findings& findings)
      : assembly_(mesh.assembly), findings_(findings), pods_(mesh.pods) {
    const Assembly& assembly = mesh.assembly;
    assembly.for_each(&FileObjects::services, [&](const ServiceObject& service) {
      services_.insert(key(service.meta.ns, service.meta.name));
    });
    assembly.for_each(&FileObjects::slices, [&](const EndpointSliceObject& slice) {
      slices_[key(slice.meta.ns, slice.service)].push_back(&slice);
    });
  }

  void look(const ServiceObject& service) {
    look_at_addresses(service);
    if (service.type == "ExternalName") return;
    const auto slices = slices_.find(key(service.meta.ns, service.meta.name));
    if (slices != slices_.end()) return look_at_slices(service, slices->second);
    if (service.selector.empty()) {
      return findings_.warn("Service", service.meta, {"spec.selector", ""},
                            "missing, and there is no EndpointSlice of this service: nobody serves "
                            "it; write a selector of its pods");
    }
    const PodIndex::Pods pods = pods_.select(service.meta.ns, service.selector);
    if (pods.empty()) return look_at_empty(service);
    look_at_readiness(service, pods);
    for (const ServicePortObject& port : service.ports) look_at_port(service, port, pods);
  }

  void look(const EndpointSliceObject& slice) {
    if (slice.service.empty() || services_.contains(key(slice.meta.ns, slice.service))) return;
    findings_.warn(
        "EndpointSlice", slice.meta, {"metadata.labels", "kubernetes.io/service-name"},
        fmt::format("kubernetes.io/service-name: there is no Service {} in namespace {}: "
                    "the slice serves nobody; write the name of one",
                    in_quotes(slice.service), slice.meta.ns));
  }

 private:
  static std::string key(std::string_view ns, std::string_view name) {
    return fmt::format("{}/{}", ns, name);
  }

  void look_at_addresses(const ServiceObject& service) {
    for (const IpAddress& address : service.addresses) {
      const auto pod = assembly_.pods_by_address.find(address);
      if (pod == assembly_.pods_by_address.end()) continue;
      findings_.error(
          "Service", service.meta, {"spec.clusterIP", ""},
          fmt::format("{} is also the address of Pod {}, which nobody reaches by it any "
                      "more: write another",
                      address.to_string(), key(pod->second->meta.ns, pod->second->meta.name)));
    }
  }

  void look_at_empty(const ServiceObject& service) {
    std::string text =
        fmt::format("selects no pod: {}", pods_.why_none(service.meta.ns, service.selector));
    const PodIndex::Pods elsewhere = pods_.select("", service.selector);
    if (!elsewhere.empty()) {
      text += fmt::format("; a service takes pods of its own namespace only, and these are in {}",
                          elsewhere.front()->meta.ns);
    }
    findings_.warn("Service", service.meta, {"spec.selector", ""},
                   text + ". Write labels that its pods have");
  }

  void look_at_readiness(const ServiceObject& service, const PodIndex::Pods& pods) {
    if (service.publish_not_ready) return;
    const bool any = std::ranges::any_of(
        pods, [](const PodObject* pod) { return pod->ready && !pod->meta.deleting; });
    if (any) return;
    findings_.warn("Service", service.meta, {"spec.selector", ""},
                   fmt::format("none of the selected pods is ready ({}): connections to it fail",
                               some_of(names_of(pods))));
  }

  // A container may serve ports it does not declare, so only pods that declare some are asked.
  void look_at_port(const ServiceObject& service, const ServicePortObject& port,
                    const PodIndex::Pods& pods) {
    if (port.target == 0) return;  // named: said when the mesh is loaded
    std::vector<std::string> declared;
    for (const PodObject* pod : pods) {
      if (pod->ports.empty()) return;
      if (std::ranges::find(pod->ports, port.target) != pod->ports.end()) return;
      for (const std::uint16_t number : pod->ports) declared.push_back(fmt::format("{}", number));
    }
    findings_.warn("Service", service.meta,
                   {"spec.ports.targetPort", fmt::format("{}", port.target)},
                   fmt::format("no container of the selected pods declares TCP port {}; "
                               "they declare {}: write one of those",
                               port.target, some_of(std::move(declared))));
  }

  void look_at_slices(const ServiceObject& service,
                      const std::vector<const EndpointSliceObject*>& slices) {
    const bool any = std::ranges::any_of(slices, [](const auto* slice) {
      return std::ranges::any_of(slice->endpoints, &SliceEndpoint::ready);
    });
    if (!any) {
      return findings_.warn("Service", service.meta, {},
                            "no endpoint of its EndpointSlices is ready: connections to it fail");
    }
    for (const ServicePortObject& port : service.ports) {
      const bool served = std::ranges::any_of(slices, [&](const auto* slice) {
        return std::ranges::find(slice->ports, port.name, &SlicePort::name) != slice->ports.end();
      });
      if (served) continue;
      findings_.warn("Service", service.meta, {"spec.ports.port", fmt::format("{}", port.port)},
                     fmt::format("no EndpointSlice of this service has a TCP port named {}: nobody "
                                 "serves port {}; the names must be the same",
                                 in_quotes(port.name), port.port));
    }
  }

  static std::vector<std::string> names_of(const PodIndex::Pods& pods) {
    std::vector<std::string> names;
    for (const PodObject* pod : pods) names.push_back(pod->meta.name);
    return names;
  }

  const Assembly& assembly_;
  Findings& findings_;
  const PodIndex& pods_;
  std::unordered_set<std::string> services_;
  std::unordered_map<std::string, std::vector<const EndpointSliceObject*>> slices_;
};

}  // namespace

void lint_services(const LintMesh& mesh, Findings& findings) {
  const Assembly& assembly = mesh.assembly;
  ServiceLint lint(mesh, findings);
  assembly.for_each(&FileObjects::services,
                    [&](const ServiceObject& service) { lint.look(service); });
  assembly.for_each(&FileObjects::slices,
                    [&](const EndpointSliceObject& slice) { lint.look(slice); });
}

}  // namespace aquifer::manifests
