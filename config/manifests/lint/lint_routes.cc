// Routes: all lints of them, and the parents that they name.
#include "config/manifests/lint/route_mesh.h"
#include "config/manifests/lint/words.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <unordered_set>

namespace aquifer::manifests {
namespace {

bool is_gateway(const ParentObject& parent) noexcept {
  return parent.kind == "Gateway" && parent.group == "gateway.networking.k8s.io";
}

class ParentLint {
 public:
  ParentLint(const RouteMesh& mesh, Findings& findings) : mesh_(mesh), findings_(findings) {
    for (const model::ServiceRecord& record : mesh.assembly.state.services) {
      if (record.service->kubernetes)
        names_.push_back(fmt::format("{}/{}", record.service->ns, record.service->name));
    }
  }

  void look(const RouteObject& route) {
    const std::string_view kind = name_of(route.kind);
    if (route.parents.empty()) {
      return findings_.error(kind, route.meta, {"spec.parentRefs", ""},
                             "missing: the route has no effect; write the Service that it is for");
    }
    for (std::size_t i = 0; i < route.parents.size(); ++i) look(route, i);
    if (route.kind != RouteKind::tls && !route.hostnames.empty() && is_for_mesh(route)) {
      findings_.warn(kind, route.meta, {"spec.hostnames", ""},
                     "is not looked at inside a mesh (GEP-1426): write a match of the header Host");
    }
  }

 private:
  void look(const RouteObject& route, std::size_t index) {
    const ParentObject& parent = route.parents[index];
    const std::string_view kind = name_of(route.kind);
    const std::string field = fmt::format("spec.parentRefs[{}]", index);
    if (is_gateway(parent)) {
      // Gateways at the edge are somebody else's; waypoints are ours.
      if (!mesh_.assembly.waypoints.contains(fmt::format("{}/{}", parent.ns, parent.name))) return;
      return findings_.error(kind, route.meta, {field + ".name", ""},
                             fmt::format("Gateway {}/{} is a waypoint, to which routes are not "
                                         "bound: write group: \"\", kind: Service and the name of "
                                         "a service behind it",
                                         parent.ns, parent.name));
    }
    const auto records = mesh_.services.parents(parent);
    if (records.empty()) return missing(route, parent, field);
    for (const model::ServiceRecord* record : records) look_at_ports(route, parent, *record, field);
  }

  void missing(const RouteObject& route, const ParentObject& parent, const std::string& field) {
    const std::string_view kind = name_of(route.kind);
    if (parent.kind != "Service" && parent.kind != "ServiceEntry" && parent.kind != "Hostname") {
      return findings_.error(kind, route.meta, {field + ".kind", ""},
                             fmt::format("{} is no parent of routes in a mesh: write Service",
                                         in_quotes(parent.kind)));
    }
    if (parent.kind == "Service" && !parent.group.empty()) {
      return findings_.error(kind, route.meta, {field + ".kind", ""},
                             fmt::format("Service is of no group, and this is of {}: write "
                                         "group: \"\"",
                                         in_quotes(parent.group)));
    }
    const std::string wanted = fmt::format("{}/{}", parent.ns, parent.name);
    std::vector<std::string_view> known(names_.begin(), names_.end());
    const auto near = nearest_word(wanted, known, 3);
    findings_.error(
        kind, route.meta, {field + ".name", ""},
        fmt::format("there is no {} {}: the route has no effect; {}", parent.kind, wanted,
                    near ? fmt::format("write {}", *near) : std::string("write the name of one")));
  }

  void look_at_ports(const RouteObject& route, const ParentObject& parent,
                     const model::ServiceRecord& record, const std::string& field) {
    const model::Service& service = *record.service;
    const std::string_view kind = name_of(route.kind);
    const bool any = std::ranges::any_of(
        service.ports, [&](const model::ServicePort& port) { return means(parent, port); });
    if (!any) {
      std::vector<std::string> ports;
      for (const model::ServicePort& port : service.ports)
        ports.push_back(fmt::format("{} ({})", port.port, port.name));
      return findings_.error(
          kind, route.meta, {field + (parent.port != 0 ? ".port" : ".sectionName"), ""},
          fmt::format("{} has no such port: the route has no effect; write one of {}",
                      service.hostname, some_of(std::move(ports))));
    }
    if (service.waypoints.empty()) {
      findings_.error(kind, route.meta, {field + ".name", ""},
                      fmt::format("no waypoint serves {}: the route has no effect; write the label "
                                  "istio.io/use-waypoint on the service or its namespace",
                                  service.hostname));
    }
  }

  const RouteMesh& mesh_;
  Findings& findings_;
  std::vector<std::string> names_;
};

// Routes that are bound to a port and do not count there.
void look_at_port(const PortAttachments& port, Findings& findings) {
  for (const RouteGroup& group : port.groups) {
    for (const RouteObject* route : group.bound) {
      if (std::ranges::find(group.counted, route) != group.counted.end()) continue;
      // All ports were meant, and others may be of the right kind.
      const bool one_port = std::ranges::any_of(route->parents, [](const ParentObject& parent) {
        return parent.port != 0 || !parent.section_name.empty();
      });
      const std::string where =
          fmt::format("port {} of {}", port.port->port, port.record->service->hostname);
      if (fits(port.protocol, route->kind)) {
        findings.warn(
            name_of(route->kind), route->meta, {"spec.parentRefs", ""},
            fmt::format("has no effect at {}: {} {}/{} is bound to it, too, and routes of "
                        "that kind go first (GEP-1426)",
                        where, name_of(group.kind), group.counted.front()->meta.ns,
                        group.counted.front()->meta.name));
      } else if (one_port) {
        findings.error(name_of(route->kind), route->meta, {"spec.parentRefs", ""},
                       fmt::format("has no effect at {}: its name or appProtocol says {}; write "
                                   "another appProtocol there, or another kind of route",
                                   where, l7::name_of(port.protocol)));
      }
    }
  }
}

}  // namespace

bool is_for_mesh(const RouteObject& route) noexcept {
  return std::ranges::any_of(route.parents,
                             [](const ParentObject& parent) { return !is_gateway(parent); });
}

void lint_route_parents(const RouteMesh& mesh, Findings& findings) {
  ParentLint lint(mesh, findings);
  for_each_route(mesh.assembly, [&](const RouteObject& route) { lint.look(route); });
  for (const PortAttachments& port : mesh.ports) look_at_port(port, findings);
}

void lint_routes(const LintMesh& lint, Findings& findings) {
  const RouteMesh mesh(lint.assembly);
  lint_route_parents(mesh, findings);
  lint_route_backends(mesh, findings);
  lint_route_order(mesh, findings);
  lint_traffic(mesh, lint, findings);
}

}  // namespace aquifer::manifests
