#include "config/manifests/l7/attachments.h"

#include <algorithm>
#include <utility>

namespace aquifer::manifests {
namespace {

/// Routes by the namespace of the clients that they are for.
using Groups = std::map<std::string, std::vector<const RouteObject*>>;

class Binder {
 public:
  explicit Binder(const MeshServices& services) : services_(services) {}

  void add(const RouteObject& route) {
    for (const ParentObject& parent : route.parents) {
      for (const model::ServiceRecord* record : services_.parents(parent))
        bind(route, parent, *record);
    }
  }

  [[nodiscard]] std::vector<PortAttachments> take() && {
    std::vector<PortAttachments> result;
    for (const model::ServiceRecord& record : services_.assembly().state.services) {
      for (const model::ServicePort& port : record.service->ports) {
        const auto bound = bound_.find(&port);
        if (bound == bound_.end()) continue;
        PortAttachments attached;
        attached.record = &record;
        attached.port = &port;
        attached.protocol = l7::protocol_of(port.app_protocol, port.name);
        for (auto& [ns, routes] : bound->second)
          attached.groups.push_back(group(attached.protocol, ns, std::move(routes)));
        // The producers' namespace is the empty one, which sorts first and is asked last.
        if (attached.groups.front().clients_ns.empty())
          std::ranges::rotate(attached.groups, attached.groups.begin() + 1);
        result.push_back(std::move(attached));
      }
    }
    return result;
  }

 private:
  void bind(const RouteObject& route, const ParentObject& parent,
            const model::ServiceRecord& record) {
    const bool producer = route.meta.ns == record.service->ns;
    for (const model::ServicePort& port : record.service->ports) {
      if (!means(parent, port)) continue;
      auto& routes = bound_[&port][producer ? std::string() : route.meta.ns];
      // Two parentRefs may mean one port.
      if (std::ranges::find(routes, &route) == routes.end()) routes.push_back(&route);
    }
  }

  static RouteGroup group(l7::Protocol protocol, const std::string& ns,
                          std::vector<const RouteObject*> routes) {
    RouteGroup group;
    group.clients_ns = ns;
    group.bound = std::move(routes);
    bool any = false;
    for (const RouteObject* route : group.bound) {
      if (!fits(protocol, route->kind)) continue;
      if (!any || route->kind < group.kind) group.kind = route->kind;
      any = true;
    }
    for (const RouteObject* route : group.bound) {
      if (any && route->kind == group.kind) group.counted.push_back(route);
    }
    return group;
  }

  const MeshServices& services_;
  std::unordered_map<const model::ServicePort*, Groups> bound_;
};

}  // namespace

bool fits(l7::Protocol protocol, RouteKind kind) noexcept {
  switch (protocol) {
    case l7::Protocol::detect: return true;
    case l7::Protocol::http1:
    case l7::Protocol::http2: return kind == RouteKind::http || kind == RouteKind::grpc;
    case l7::Protocol::tls: return kind == RouteKind::tls || kind == RouteKind::tcp;
    case l7::Protocol::tcp: return kind == RouteKind::tcp;
  }
  return false;
}

bool means(const ParentObject& parent, const model::ServicePort& port) noexcept {
  return (parent.port == 0 || parent.port == port.port) &&
         (parent.section_name.empty() || parent.section_name == port.name);
}

std::vector<PortAttachments> attachments(const MeshServices& services) {
  Binder binder(services);
  for_each_route(services.assembly(), [&](const RouteObject& route) { binder.add(route); });
  return std::move(binder).take();
}

}  // namespace aquifer::manifests
