// Which routes are bound to which port of which service, and which of them count there (GEP-1426,
// xRoutes Mesh Binding). Lives during one load.
#pragma once

#include "config/manifests/l7/mesh_services.h"
#include "config/manifests/route_objects.h"
#include "config/model/l7/chain.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace aquifer::manifests {

/// Routes that are looked at together: those of a service's own namespace, which hold for all
/// clients (producer routes), or those of one other namespace, which hold for its clients alone, in
/// place of the former (consumer routes).
struct RouteGroup {
  /// Of the clients; empty: all.
  std::string clients_ns;
  /// Bound to this port, of all kinds.
  std::vector<const RouteObject*> bound;
  /// Those of them that count: of one kind, and one that the port's protocol can be routed by.
  RouteKind kind = RouteKind::http;
  std::vector<const RouteObject*> counted;
};

struct PortAttachments {
  const model::ServiceRecord* record = nullptr;
  const model::ServicePort* port = nullptr;
  l7::Protocol protocol = l7::Protocol::detect;
  /// Consumers' first.
  std::vector<RouteGroup> groups;
};

/// Can routes of this kind do anything on a port of this protocol?
[[nodiscard]] bool fits(l7::Protocol protocol, RouteKind kind) noexcept;

/// Every port that some route is bound to, in the order of services and ports.
[[nodiscard]] std::vector<PortAttachments> attachments(const MeshServices& services);

/// Calls `use(const RouteObject&)` for each route of every kind.
template <typename Use>
void for_each_route(const Assembly& assembly, Use&& use) {
  for (const auto kind : {&FileObjects::http_routes, &FileObjects::grpc_routes,
                          &FileObjects::tls_routes, &FileObjects::tcp_routes}) {
    assembly.for_each(kind, use);
  }
}

/// Does a parentRef that means this service mean this port of it?
[[nodiscard]] bool means(const ParentObject& parent, const model::ServicePort& port) noexcept;

}  // namespace aquifer::manifests
