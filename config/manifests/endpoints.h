// Who serves a service: from its EndpointSlices if it has any, else from its selector.
#pragma once

#include "config/manifests/assembly.h"
#include "config/manifests/selected_workloads.h"
#include "config/model/service.h"

#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace aquifer::manifests {

/// The set as the model wants it: sorted, each workload once, with its largest weight.
[[nodiscard]] model::EndpointSet endpoint_set(std::vector<model::Endpoint> endpoints);

class EndpointFinder {
 public:
  /// Indexes slices by service. Both must outlive it.
  EndpointFinder(Assembly& assembly, const SelectedWorkloads& index);

  /// May add workloads to the assembly, for addresses of slices that are no pods.
  [[nodiscard]] model::EndpointSet find(const ServiceObject& service);

 private:
  using EndpointsByUid = std::map<std::string, model::Endpoint>;

  void add_from_slices(const ServiceObject& service, EndpointsByUid& endpoints);
  void add_selected_pods(const ServiceObject& service, EndpointsByUid& endpoints);
  void add_selected_entries(const ServiceObject& service, EndpointsByUid& endpoints);
  std::string uid_of(const EndpointSliceObject& slice, const SliceEndpoint& endpoint);
  std::string add_address_workload(const EndpointSliceObject& slice, const SliceEndpoint& endpoint);
  void warn_of_unserved_ports(const ServiceObject& service, const EndpointsByUid& endpoints);

  Assembly& assembly_;
  const SelectedWorkloads& index_;
  /// By NAMESPACE/SERVICE.
  std::unordered_map<std::string, std::vector<const EndpointSliceObject*>> slices_;
  /// The workloads that were made for addresses which are no pods.
  std::unordered_map<std::string, bool> address_workloads_;
};

}  // namespace aquifer::manifests
