// Everything that is written of routes and traffic policies -> the waypoint's book of them.
#include "config/manifests/assembly.h"
#include "config/manifests/l7/attachments.h"
#include "config/manifests/l7/chain_maker.h"
#include "config/manifests/l7/limits.h"
#include "config/manifests/l7/mesh_services.h"
#include "config/model/l7/routing_book.h"

#include <fmt/format.h>

#include <memory>
#include <utility>
#include <vector>

namespace aquifer::manifests {

void add_routing(Assembly& assembly) {
  const MeshServices services(assembly);
  std::vector<l7::ChainPtr> chains;
  std::vector<l7::ClusterPtr> clusters;
  ChainMaker maker(services);
  for (const PortAttachments& port : attachments(services)) {
    if (l7::ChainPtr chain = maker.make(port)) chains.push_back(std::move(chain));
  }
  if (maker.routes_made() > kRoutesMax) {
    assembly.report_at(Severity::error, {}, "", "",
                       fmt::format("more than {} routes in all, each counted once for every port "
                                   "that it is bound to: write `port` into parentRefs",
                                   kRoutesMax));
    return;
  }
  if (chains.empty() && clusters.empty()) return;
  assembly.state.books.routing =
      std::make_shared<const l7::RoutingBook>(std::move(chains), std::move(clusters));
}

}  // namespace aquifer::manifests
