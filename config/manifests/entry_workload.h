// What is no pod and yet a workload: VMs and external hosts, from WorkloadEntries and the endpoints
// of ServiceEntries.
#pragma once

#include "config/manifests/assembly.h"
#include "config/model/workload.h"

#include <string>
#include <string_view>

namespace aquifer::manifests {

/// CLUSTER/networking.istio.io/WorkloadEntry/NAMESPACE/NAME
[[nodiscard]] std::string workload_entry_uid(const Assembly& assembly, const Metadata& meta);
/// CLUSTER/networking.istio.io/ServiceEntry/NAMESPACE/NAME/PLACE
[[nodiscard]] std::string entry_endpoint_uid(const Assembly& assembly, const Metadata& entry,
                                             std::string_view place);
/// Its address, or its host name.
[[nodiscard]] std::string place_of(const EntrySpec& spec);

/// `meta` is that of the WorkloadEntry, or of the ServiceEntry whose endpoint it is.
[[nodiscard]] model::Workload entry_workload(const Assembly& assembly, const Metadata& meta,
                                             const EntrySpec& spec, std::string uid);

/// A workload for each WorkloadEntry.
void add_workload_entries(Assembly& assembly);

}  // namespace aquifer::manifests
