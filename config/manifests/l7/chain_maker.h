// Routes that are bound to a port -> the port's chain. Lives during one load.
#pragma once

#include "config/manifests/l7/attachments.h"
#include "config/manifests/l7/cluster_maker.h"
#include "config/manifests/l7/mesh_services.h"
#include "config/manifests/l7/precedence.h"
#include "config/model/l7/chain.h"

#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace aquifer::manifests {

class ChainMaker {
 public:
  /// Both must outlive it.
  ChainMaker(const MeshServices& services, const ClusterMaker& clusters)
      : services_(services), clusters_(clusters) {}

  /// Null when nothing that is bound to the port counts there.
  [[nodiscard]] l7::ChainPtr make(const PortAttachments& port);
  /// Of all chains so far.
  [[nodiscard]] std::size_t routes_made() const noexcept { return routes_made_; }

  /// The clusters of backends. One that leads nowhere gets an empty key.
  [[nodiscard]] std::vector<l7::WeightedCluster> clusters(
      const std::vector<BackendObject>& backends, std::string_view from_ns,
      std::uint16_t usual_port = 0) const;
  /// Those that lead somewhere.
  [[nodiscard]] std::vector<l7::Mirror> mirrors(const std::vector<MirrorObject>& mirrors,
                                                std::string_view from_ns,
                                                std::uint16_t usual_port = 0) const;

 private:
  void add_requests(const RouteGroup& group, std::vector<l7::RoutePtr>& routes);
  void add_connections(const RouteGroup& group, std::vector<l7::TcpRoute>& routes) const;
  [[nodiscard]] l7::Route rule_of(const RouteObject& object, std::size_t rule) const;
  // Empty when it leads nowhere.
  [[nodiscard]] std::string key_of(const BackendObject& backend, std::string_view from_ns,
                                   std::uint16_t usual_port) const;

  const MeshServices& services_;
  const ClusterMaker& clusters_;
  std::size_t routes_made_ = 0;
};

/// A chain without routes, as the port's own name says what it speaks.
[[nodiscard]] l7::Chain empty_chain(const model::Service& service, const model::ServicePort& port);

}  // namespace aquifer::manifests
