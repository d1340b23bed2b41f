#include "config/manifests/l7/cluster_maker.h"

#include "config/manifests/entry_workload.h"
#include "config/manifests/l7/limits.h"
#include "config/manifests/selected_workloads.h"
#include "config/model/l7/routing_book.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

namespace aquifer::manifests {
namespace {

// Without the ports, which have been looked at.
TrafficPolicyObject sections_of(const TrafficPolicyObject& policy) {
  TrafficPolicyObject sections;
  sections.balancing = policy.balancing;
  sections.locality_enabled = policy.locality_enabled;
  sections.limits = policy.limits;
  sections.protocol = policy.protocol;
  sections.outlier = policy.outlier;
  sections.panic_percent = policy.panic_percent;
  sections.tls = policy.tls;
  sections.retry_budget = policy.retry_budget;
  return sections;
}

// Sections that `over` has replace those of `under` whole; what it leaves out stays.
void lay_over(TrafficPolicyObject& under, const TrafficPolicyObject& over) {
  if (over.balancing) {
    under.balancing = over.balancing;
    under.locality_enabled = over.locality_enabled;
  }
  if (over.limits) {
    under.limits = over.limits;
    under.protocol = over.protocol;
  }
  if (over.outlier) {
    under.outlier = over.outlier;
    under.panic_percent = over.panic_percent;
  }
  if (over.tls) under.tls = over.tls;
  if (over.retry_budget) under.retry_budget = over.retry_budget;
}

// portLevelSettings inherit nothing from what stands around them.
TrafficPolicyObject policy_for(const TrafficPolicyObject* rule, const SubsetObject* subset,
                               std::uint16_t port) {
  TrafficPolicyObject policy;
  const auto lay_level = [&](const TrafficPolicyObject& level) {
    const auto of_port = level.ports.find(port);
    if (of_port != level.ports.end()) {
      policy = sections_of(of_port->second);
    } else {
      lay_over(policy, level);
    }
  };
  if (rule != nullptr) lay_level(*rule);
  if (subset != nullptr) lay_level(subset->policy);
  return policy;
}

void apply(const TrafficPolicyObject& policy, l7::Cluster& cluster) {
  if (policy.balancing) cluster.balancing = *policy.balancing;
  if (policy.limits) cluster.limits = *policy.limits;
  if (policy.retry_budget) {
    cluster.limits.retry_budget_percent = policy.retry_budget->percent;
    cluster.limits.retry_budget_min = policy.retry_budget->min;
  }
  if (policy.protocol == ProtocolWish::same_as_client) {
    cluster.protocol = l7::UpstreamProtocol::same_as_client;
  } else if (policy.protocol == ProtocolWish::http2) {
    cluster.protocol = l7::UpstreamProtocol::http2;
  }
  cluster.outlier = policy.outlier;
  cluster.balancing.panic_percent = policy.panic_percent;
  // Istio's rule: nearer localities go first exactly where failing endpoints are noticed.
  const bool locality = policy.locality_enabled.value_or(true);
  cluster.balancing.prefer_near =
      locality && cluster.balancing.distribute.empty() && policy.outlier.has_value();
  if (!locality) {
    cluster.balancing.distribute.clear();
    cluster.balancing.failover.clear();
  }
  if (policy.tls) cluster.tls = policy.tls->upstream;
}

}  // namespace

WorkloadLabels::WorkloadLabels(const Assembly& assembly) {
  assembly.for_each(&FileObjects::pods, [&](const PodObject& pod) {
    by_uid_.emplace(pod_uid(assembly.options, pod.meta.ns, pod.meta.name), &pod.meta.labels);
  });
  assembly.for_each(&FileObjects::workload_entries, [&](const WorkloadEntryObject& entry) {
    by_uid_.emplace(workload_entry_uid(assembly, entry.meta), &entry.spec.labels);
  });
  assembly.for_each(&FileObjects::service_entries, [&](const ServiceEntryObject& entry) {
    for (const EntrySpec& spec : entry.endpoints)
      by_uid_.emplace(entry_endpoint_uid(assembly, entry.meta, place_of(spec)), &spec.labels);
  });
}

const StringMap& WorkloadLabels::of(const std::string& uid) const {
  static const StringMap kNone;
  const auto at = by_uid_.find(uid);
  return at == by_uid_.end() ? kNone : *at->second;
}

std::vector<std::string> WorkloadLabels::members(const model::ServiceRecord& record,
                                                 const StringMap& labels) const {
  std::vector<std::string> uids;
  for (const model::Endpoint& endpoint : record.endpoints->endpoints) {
    if (selects(labels, of(endpoint.workload_uid))) uids.push_back(endpoint.workload_uid);
  }
  return uids;  // endpoints are sorted by uid
}

ClusterMaker::ClusterMaker(const MeshServices& services, const DestinationRules& rules,
                           Report& report)
    : labels_(services.assembly()) {
  for (const model::ServiceRecord& record : services.assembly().state.services) {
    const EffectiveRule rule = rules.of(*record.service);
    if (!rule.rules.empty()) add(record, rule);
    if (clusters_.size() <= kClustersMax) continue;
    report.add({.severity = Severity::error,
                .file = "",
                .line = 0,
                .object = "",
                .field = "",
                .text = fmt::format("more than {} clusters: ports times subsets of services; write "
                                    "fewer subsets",
                                    kClustersMax)});
    return;
  }
}

void ClusterMaker::add(const model::ServiceRecord& record, const EffectiveRule& rule) {
  const model::Service& service = *record.service;
  for (const model::ServicePort& port : service.ports) {
    const l7::ClusterPtr plain = l7::default_cluster(service, port.port);
    l7::Cluster whole = *plain;
    apply(policy_for(rule.policy, nullptr, port.port), whole);
    add(std::move(whole));
    for (const SubsetObject* subset : rule.subsets) {
      l7::Cluster part = *plain;
      part.key = l7::cluster_key(service.ns, service.hostname, port.port, subset->name);
      part.subset = subset->name;
      // Without labels a subset is a name for other settings alone.
      if (!subset->labels.empty()) part.members = labels_.members(record, subset->labels);
      apply(policy_for(rule.policy, subset, port.port), part);
      add(std::move(part));
    }
  }
}

void ClusterMaker::add(l7::Cluster cluster) {
  if (!keys_.insert(cluster.key).second) return;
  clusters_.push_back(std::make_shared<const l7::Cluster>(std::move(cluster)));
}

}  // namespace aquifer::manifests
