// AuthorizationPolicies with targetRefs and RequestAuthentications -> what waypoints enforce. After
// the services, which policies may name.
#include "config/manifests/assembly.h"
#include "config/manifests/read_objects.h"
#include "config/model/l7/security_book.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace aquifer::manifests {
namespace {

using Kind = TargetRefObject::Kind;
using Targets = std::vector<l7::SecurityTarget>;

constexpr std::string_view kWaypointClass = "istio-waypoint";

// Finds what policies are attached to, and says where that leads nowhere.
class TargetFinder {
 public:
  explicit TargetFinder(Assembly& assembly) : assembly_(assembly) {
    assembly.for_each(&FileObjects::service_entries, [&](const ServiceEntryObject& entry) {
      entries_.emplace(fmt::format("{}/{}", entry.meta.ns, entry.meta.name), &entry);
    });
    for (const model::ServiceRecord& record : assembly.state.services) {
      services_.emplace(model::service_key(record.service->ns, record.service->hostname),
                        record.service.get());
    }
  }

  [[nodiscard]] Targets find(std::string_view kind, const Metadata& meta,
                             const std::vector<TargetRefObject>& refs) {
    Targets targets;
    for (const TargetRefObject& ref : refs) {
      const auto warn = [&](const std::string& text) {
        Origin origin = meta.origin;
        if (ref.line != 0) origin.line = ref.line;
        assembly_.report_at(Severity::warning, origin, object_name(kind, meta), "spec.targetRefs",
                            text);
      };
      add(meta.ns, ref, warn, targets);
    }
    return targets;
  }

 private:
  template <typename Warn>
  void add(const std::string& ns, const TargetRefObject& ref, Warn&& warn, Targets& targets) {
    const std::string name = fmt::format("{}/{}", ns, ref.name);
    switch (ref.kind) {
      case Kind::gateway_class: return add_class(ns, ref, warn, targets);
      case Kind::gateway:
        if (!assembly_.waypoints.contains(name)) {
          warn(fmt::format("there is no waypoint {}: the policy has NO EFFECT there", name));
        }
        targets.push_back({l7::SecurityTarget::Kind::gateway, name});
        return;
      case Kind::service:
        return add_service(
            ns, fmt::format("{}.{}.svc.{}", ref.name, ns, assembly_.options.cluster_domain),
            fmt::format("Service {}", name), warn, targets);
      case Kind::service_entry: break;
    }
    const auto entry = entries_.find(name);
    if (entry == entries_.end()) {
      return warn(fmt::format("there is no ServiceEntry {}: the policy has NO EFFECT there", name));
    }
    for (const std::string& host : entry->second->hosts) {
      add_service(ns, host, fmt::format("ServiceEntry {}", name), warn, targets);
    }
  }

  template <typename Warn>
  void add_class(const std::string& ns, const TargetRefObject& ref, Warn&& warn, Targets& targets) {
    const std::string& root = assembly_.state.mesh_config.root_namespace;
    if (ref.name != kWaypointClass) {
      return warn(
          fmt::format("GatewayClass {} is not that of waypoints: the policy has NO EFFECT; "
                      "write {}",
                      ref.name.substr(0, 60), kWaypointClass));
    }
    if (ns != root) {
      return warn(
          fmt::format("a GatewayClass may be named in the root namespace {} only: the "
                      "policy has NO EFFECT",
                      root));
    }
    targets.push_back({l7::SecurityTarget::Kind::mesh, {}});
  }

  template <typename Warn>
  void add_service(const std::string& ns, const std::string& host, const std::string& object,
                   Warn&& warn, Targets& targets) {
    const std::string key = model::service_key(ns, host);
    const auto at = services_.find(key);
    if (at == services_.end()) {
      warn(fmt::format("there is no {}: the policy has NO EFFECT there", object));
    } else if (at->second->waypoints.empty()) {
      warn(
          fmt::format("{} has no waypoint, so nobody enforces the policy there: what it forbids "
                      "STILL FLOWS; label the service or its namespace istio.io/use-waypoint",
                      object));
    }
    targets.push_back({l7::SecurityTarget::Kind::service, key});
  }

  Assembly& assembly_;
  std::unordered_map<std::string, const ServiceEntryObject*> entries_;
  std::unordered_map<std::string, const model::Service*> services_;
};

}  // namespace

void add_security(Assembly& assembly) {
  TargetFinder finder(assembly);
  std::vector<l7::RequestPolicyPtr> policies;
  assembly.for_each(
      &FileObjects::authorization_policies, [&](const AuthorizationPolicyObject& object) {
        if (!object.for_waypoint) return;
        auto policy = std::make_shared<l7::RequestPolicy>(object.requests);
        policy->targets = finder.find("AuthorizationPolicy", object.meta, object.targets);
        policies.push_back(std::move(policy));
      });
  std::vector<l7::RequestAuthenticationPtr> authentications;
  assembly.for_each(
      &FileObjects::request_authentications, [&](const RequestAuthenticationObject& object) {
        if (object.targets.empty()) return;
        auto authentication = std::make_shared<l7::RequestAuthentication>(object.authentication);
        authentication->targets = finder.find("RequestAuthentication", object.meta, object.targets);
        authentications.push_back(std::move(authentication));
      });
  if (policies.empty() && authentications.empty()) return;
  assembly.state.books.security =
      std::make_shared<const l7::SecurityBook>(std::move(policies), std::move(authentications));
}

}  // namespace aquifer::manifests
