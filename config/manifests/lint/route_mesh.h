// What the lints of routes look at together. Lives during one check.
#pragma once

#include "config/manifests/l7/attachments.h"
#include "config/manifests/l7/destination_rules.h"
#include "config/manifests/l7/mesh_services.h"
#include "config/manifests/lint/lint.h"
#include "config/manifests/route_objects.h"

#include <string>
#include <string_view>

namespace aquifer::manifests {

struct RouteMesh {
  explicit RouteMesh(const Assembly& mesh)
      : assembly(mesh), services(mesh), rules(services), ports(attachments(services)) {}

  const Assembly& assembly;
  MeshServices services;
  DestinationRules rules;
  std::vector<PortAttachments> ports;
};

/// Services, ports and subsets that routes send to, of every kind of route.
void lint_route_backends(const RouteMesh& mesh, Findings& findings);
/// Parents, and ports where a route has no say.
void lint_route_parents(const RouteMesh& mesh, Findings& findings);
/// Routes that others stand before.
void lint_route_order(const RouteMesh& mesh, Findings& findings);
/// VirtualServices and DestinationRules: hosts, subsets, and whether anybody reads them.
void lint_traffic(const RouteMesh& mesh, const LintMesh& lint, Findings& findings);

/// Is this route for the mesh, and not for gateways at its edge alone?
[[nodiscard]] bool is_for_mesh(const RouteObject& route) noexcept;

}  // namespace aquifer::manifests
