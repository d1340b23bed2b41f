// VirtualServices -> chains of the services that are their hosts. Lives during one load.
#pragma once

#include "config/manifests/l7/chain_maker.h"
#include "config/manifests/l7/mesh_services.h"
#include "config/manifests/traffic_objects.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace aquifer::manifests {

class VirtualServices {
 public:
  /// Both must outlive it.
  VirtualServices(const MeshServices& services, const ChainMaker& maker);

  /// All that the service's waypoint may see and that hold inside the mesh, the one that counts
  /// first: the host itself before wildcards, then the older.
  [[nodiscard]] std::vector<const VirtualServiceObject*> of(const model::Service& service) const;

  /// Null when the VirtualService says nothing about the port.
  [[nodiscard]] l7::ChainPtr make(const VirtualServiceObject& object,
                                  const model::ServiceRecord& record,
                                  const model::ServicePort& port);
  /// Of all chains so far.
  [[nodiscard]] std::size_t routes_made() const noexcept { return routes_made_; }
  [[nodiscard]] bool empty() const noexcept { return by_host_.empty() && wildcards_.empty(); }

 private:
  struct Wildcard {
    std::string host;
    const VirtualServiceObject* object = nullptr;
  };
  void add_requests(const VirtualServiceObject& object, const model::ServicePort& port,
                    std::vector<l7::RoutePtr>& routes);
  void add_connections(const VirtualServiceObject& object, const model::ServicePort& port,
                       std::vector<l7::TcpRoute>& routes) const;
  [[nodiscard]] l7::Route rule_of(const VirtualServiceObject& object, std::size_t rule,
                                  std::uint16_t port) const;

  const ChainMaker& maker_;
  std::unordered_map<std::string, std::vector<const VirtualServiceObject*>> by_host_;
  std::vector<Wildcard> wildcards_;  // the longest first, then the older
  std::size_t routes_made_ = 0;
};

}  // namespace aquifer::manifests
