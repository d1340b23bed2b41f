// What the steps of assemble() share: all objects of one mesh with look-ups over them. Lives during
// one load.
#pragma once

#include "config/manifests/diagnostic.h"
#include "config/manifests/mesh_source.h"
#include "config/manifests/objects.h"
#include "config/manifests/policy_bindings.h"
#include "config/model/store.h"

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace aquifer::manifests {

/// A service that an object stands for.
struct AssembledService {
  model::Service service;
  model::EndpointSet endpoints;
  const Metadata* meta = nullptr;
  /// A Service, and not a ServiceEntry.
  bool kubernetes = false;
};

struct Assembly {
  std::span<const FileObjects* const> files;
  const LoadOptions& options;
  Report& report;

  std::unordered_map<std::string, const NamespaceObject*> namespaces;
  /// By NAMESPACE/NAME.
  std::unordered_map<std::string, const PodObject*> pods;
  std::unordered_map<IpAddress, const PodObject*> pods_by_address;
  std::unordered_map<std::string, const WaypointObject*> waypoints;
  /// What holds for a workload by its labels; complete after add_policies().
  PolicyBindings policy_bindings;
  std::unordered_map<std::string, const NodeObject*> nodes;
  /// Until settle_services() has decided which of them count.
  std::vector<AssembledService> services;
  model::FullState state;

  void report_at(Severity severity, const Origin& origin, std::string object, std::string field,
                 std::string text);

  /// Every object of one kind, over all files.
  template <typename Object, typename Use>
  void for_each(std::vector<Object> FileObjects::* kind, Use&& use) const {
    for (const FileObjects* file : files) {
      for (const Object& object : file->*kind) use(object);
    }
  }
};

/// CLUSTER//Pod/NAMESPACE/NAME
[[nodiscard]] std::string pod_uid(const LoadOptions& options, std::string_view ns,
                                  std::string_view name);

class SelectedWorkloads;

/// Is this a pod that runs, with an address?
[[nodiscard]] bool is_workload(const PodObject& pod);

// The steps, each in a file of its own name.
void add_policies(Assembly& assembly);
void add_workloads(Assembly& assembly);
void add_network_policies(Assembly& assembly);
void add_egress_policies(Assembly& assembly);
void add_workload_entries(Assembly& assembly);
void add_services(Assembly& assembly, const SelectedWorkloads& index);
void add_service_entries(Assembly& assembly, const SelectedWorkloads& index);
/// Last: moves what counts of `services` into the state.
void settle_services(Assembly& assembly);
/// After settle_services().
void add_routing(Assembly& assembly);
/// After that: security/add_security.cc.
void add_security(Assembly& assembly);

}  // namespace aquifer::manifests
