// Where routes send to: services, ports and subsets that are not there, shares that are all none.
#include "config/manifests/lint/route_mesh.h"
#include "config/manifests/lint/words.h"

#include <fmt/format.h>

#include <algorithm>

namespace aquifer::manifests {
namespace {

// Where a rule stands, and whose it is.
struct Owner {
  std::string_view kind;
  const Metadata& meta;
  std::uint16_t usual_port = 0;
};

class BackendLint {
 public:
  BackendLint(const RouteMesh& mesh, Findings& findings) : mesh_(mesh), findings_(findings) {
    mesh.assembly.for_each(&FileObjects::reference_grants,
                           [&](const ReferenceGrantObject& grant) { grants_.push_back(&grant); });
  }

  void look(const RouteObject& route) {
    if (!is_for_mesh(route)) return;
    const Owner owner{name_of(route.kind), route.meta};
    const bool at_edge = std::ranges::any_of(
        route.parents, [](const ParentObject& parent) { return parent.kind == "Gateway"; });
    for (std::size_t i = 0; i < route.rules.size(); ++i) {
      const RouteRuleObject& rule = route.rules[i];
      const std::string field = fmt::format("spec.rules[{}]", i);
      look_at_all(owner, field + ".backendRefs", rule.backends);
      for (std::size_t k = 0; k < rule.backends.size(); ++k) {
        const std::string place = fmt::format("{}.backendRefs[{}]", field, k);
        look_at(owner, place, rule.backends[k], "its share is answered 500");
        if (at_edge) look_at_grant(route, place, rule.backends[k]);
      }
      for (const MirrorObject& mirror : rule.mirrors)
        look_at(owner, field + ".filters", mirror.backend, "nobody gets the copies");
      const bool nobody =
          rule.backends.empty() && std::holds_alternative<l7::Forward>(rule.route.action);
      if (nobody) {
        findings_.error(owner.kind, owner.meta, {field, ""},
                        "has no backendRefs and no redirect: every request is answered 500; write "
                        "backendRefs");
      }
    }
  }

  void look(const VirtualServiceObject& object) {
    const Owner owner{"VirtualService", object.meta, any_port(object)};
    for (std::size_t i = 0; i < object.http.size(); ++i) {
      const RouteRuleObject& rule = object.http[i];
      look_at_destinations(owner, fmt::format("spec.http[{}]", i), rule.backends);
      for (const MirrorObject& mirror : rule.mirrors) {
        look_at(owner, fmt::format("spec.http[{}].mirror", i), mirror.backend,
                "nobody gets the copies");
      }
    }
    for (const auto& [name, rules] :
         {std::pair("tls", &object.tls), std::pair("tcp", &object.tcp)}) {
      for (std::size_t i = 0; i < rules->size(); ++i)
        look_at_destinations(owner, fmt::format("spec.{}[{}]", name, i), (*rules)[i].backends);
    }
  }

 private:
  // One of the ports that requests to the hosts come to: who writes none means the same.
  [[nodiscard]] std::uint16_t any_port(const VirtualServiceObject& object) const {
    for (const std::string& host : object.hosts) {
      const auto* record =
          mesh_.services.host(object.meta.ns, mesh_.services.full_host(host, object.meta.ns));
      if (record != nullptr && !record->service->ports.empty())
        return record->service->ports.front().port;
    }
    return 0;
  }

  void look_at_destinations(const Owner& owner, const std::string& field,
                            const std::vector<BackendObject>& backends) {
    look_at_all(owner, field + ".route", backends);
    for (std::size_t k = 0; k < backends.size(); ++k) {
      look_at(owner, fmt::format("{}.route[{}].destination", field, k), backends[k],
              "its share is answered 500");
    }
  }

  void look_at_all(const Owner& owner, const std::string& field,
                   const std::vector<BackendObject>& backends) {
    const bool none = !backends.empty() && std::ranges::all_of(backends, [](const auto& backend) {
      return backend.weight == 0;
    });
    if (none) {
      findings_.error(owner.kind, owner.meta, {field, ""},
                      "all weights are 0: every request is answered 500; write one above 0");
    }
  }

  void look_at(const Owner& owner, const std::string& field, const BackendObject& backend,
               std::string_view harm) {
    if (backend.unusable) return;  // said when it was read
    const BackendTarget target = mesh_.services.backend(backend, owner.meta.ns, owner.usual_port);
    if (target.record == nullptr) {
      return findings_.error(owner.kind, owner.meta, {field, ""},
                             fmt::format("{}; {}", target.why_not, harm));
    }
    if (backend.subset.empty()) return;
    const model::Service& service = *target.record->service;
    const EffectiveRule rule = mesh_.rules.of(service);
    if (rule.subset(backend.subset) != nullptr) return;
    std::vector<std::string> known;
    for (const SubsetObject* subset : rule.subsets) known.push_back(subset->name);
    findings_.error(
        owner.kind, owner.meta, {field, backend.subset},
        fmt::format("no DestinationRule for {} has a subset {}: {}; write {}", service.hostname,
                    in_quotes(backend.subset), harm,
                    known.empty() ? std::string("a DestinationRule that has it")
                                  : fmt::format("one of {}", some_of(std::move(known)))));
  }

  // Inside the mesh no grant is needed; a gateway at its edge that has the same route insists on
  // it.
  void look_at_grant(const RouteObject& route, const std::string& field,
                     const BackendObject& backend) {
    if (backend.ns == route.meta.ns || backend.kind != "Service") return;
    const bool granted = std::ranges::any_of(grants_, [&](const ReferenceGrantObject* grant) {
      if (grant->meta.ns != backend.ns) return false;
      const bool from = std::ranges::any_of(grant->from, [&](const auto& one) {
        return one.kind == name_of(route.kind) && one.ns == route.meta.ns;
      });
      return from && std::ranges::any_of(grant->to, [&](const auto& one) {
               return one.kind == "Service" && (one.name.empty() || one.name == backend.name);
             });
    });
    if (granted) return;
    findings_.warn(name_of(route.kind), route.meta, {field + ".namespace", ""},
                   fmt::format("no ReferenceGrant in namespace {} allows it: the mesh needs none, "
                               "but the Gateway among parentRefs answers 500; add one there",
                               backend.ns));
  }

  const RouteMesh& mesh_;
  Findings& findings_;
  std::vector<const ReferenceGrantObject*> grants_;
};

}  // namespace

void lint_route_backends(const RouteMesh& mesh, Findings& findings) {
  BackendLint lint(mesh, findings);
  for_each_route(mesh.assembly, [&](const RouteObject& route) { lint.look(route); });
  mesh.assembly.for_each(&FileObjects::virtual_services, [&](const VirtualServiceObject& object) {
    if (object.for_mesh) lint.look(object);
  });
}

}  // namespace aquifer::manifests
