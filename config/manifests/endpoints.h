// Who serves a service: from its EndpointSlices if it has any, else from its selector.
#pragma once

#include "config/manifests/assembly.h"
#include "config/model/service.h"

#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace aquifer::manifests {

class EndpointFinder {
 public:
  /// Indexes slices by service and pods by the labels that selectors ask for. `assembly` must
  /// outlive it.
  explicit EndpointFinder(Assembly& assembly);

  /// May add workloads to the assembly, for addresses of slices that are no pods.
  [[nodiscard]] model::EndpointSet find(const ServiceObject& service);

 private:
  using EndpointsByUid = std::map<std::string, model::Endpoint>;

  void add_from_slices(const ServiceObject& service, EndpointsByUid& endpoints);
  void add_from_selector(const ServiceObject& service, EndpointsByUid& endpoints);
  std::string uid_of(const EndpointSliceObject& slice, const SliceEndpoint& endpoint);
  std::string add_address_workload(const EndpointSliceObject& slice, const SliceEndpoint& endpoint);
  void warn_of_unserved_ports(const ServiceObject& service, const EndpointsByUid& endpoints);

  Assembly& assembly_;
  /// By NAMESPACE/SERVICE.
  std::unordered_map<std::string, std::vector<const EndpointSliceObject*>> slices_;
  /// By NAMESPACE/KEY=VALUE, for the labels that stand in selectors.
  std::unordered_map<std::string, std::vector<const PodObject*>> pods_by_label_;
  /// The workloads that were made for addresses which are no pods.
  std::unordered_map<std::string, bool> address_workloads_;
};

}  // namespace aquifer::manifests
