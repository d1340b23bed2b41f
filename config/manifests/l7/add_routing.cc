// Everything that is written of routes and traffic policies -> the waypoint's book of them.
#include "config/manifests/assembly.h"
#include "config/manifests/l7/attachments.h"
#include "config/manifests/l7/chain_maker.h"
#include "config/manifests/l7/cluster_maker.h"
#include "config/manifests/l7/destination_rules.h"
#include "config/manifests/l7/limits.h"
#include "config/manifests/l7/mesh_services.h"
#include "config/manifests/l7/virtual_services.h"
#include "config/model/l7/routing_book.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <unordered_set>
#include <utility>
#include <vector>

namespace aquifer::manifests {

namespace {

// Gateway API's routes first: a port that they are bound to is theirs, and a VirtualService of the
// same host has no say there. Istio promises nothing for both together.
std::vector<l7::ChainPtr> all_chains(const MeshServices& services, ChainMaker& maker,
                                     VirtualServices& virtual_services) {
  std::vector<l7::ChainPtr> chains;
  std::unordered_set<const model::ServicePort*> taken;
  for (const PortAttachments& port : attachments(services)) {
    l7::ChainPtr chain = maker.make(port);
    if (chain == nullptr) continue;
    taken.insert(port.port);
    chains.push_back(std::move(chain));
  }
  if (virtual_services.empty()) return chains;
  for (const model::ServiceRecord& record : services.assembly().state.services) {
    const auto objects = virtual_services.of(*record.service);
    if (objects.empty()) continue;
    for (const model::ServicePort& port : record.service->ports) {
      if (taken.contains(&port)) continue;
      if (auto chain = virtual_services.make(*objects.front(), record, port))
        chains.push_back(std::move(chain));
    }
  }
  return chains;
}

// Most meshes have none of it, and then the services need not be looked at.
bool says_anything(const Assembly& assembly) {
  return std::ranges::any_of(assembly.files, [](const FileObjects* file) {
    return !file->http_routes.empty() || !file->grpc_routes.empty() || !file->tls_routes.empty() ||
           !file->tcp_routes.empty() || !file->virtual_services.empty() ||
           !file->destination_rules.empty();
  });
}

}  // namespace

void add_routing(Assembly& assembly) {
  if (!says_anything(assembly)) return;
  const MeshServices services(assembly);
  const DestinationRules rules(services);
  ClusterMaker clusters(services, rules, assembly.report);
  ChainMaker maker(services, clusters);
  VirtualServices virtual_services(services, maker);
  std::vector<l7::ChainPtr> chains = all_chains(services, maker, virtual_services);
  if (maker.routes_made() + virtual_services.routes_made() > kRoutesMax) {
    assembly.report_at(Severity::error, {}, "", "",
                       fmt::format("more than {} routes in all, each counted once for every port "
                                   "that it is bound to: write `port` into parentRefs",
                                   kRoutesMax));
    return;
  }
  std::vector<l7::ClusterPtr> made = clusters.take();
  if (chains.empty() && made.empty()) return;
  assembly.state.books.routing =
      std::make_shared<const l7::RoutingBook>(std::move(chains), std::move(made));
}

}  // namespace aquifer::manifests
