// VirtualServices and DestinationRules that nobody reads, and subsets without endpoints.
#include "config/manifests/l7/cluster_maker.h"
#include "config/manifests/l7/virtual_services.h"
#include "config/manifests/lint/route_mesh.h"
#include "config/manifests/lint/words.h"
#include "config/model/l7/routing_book.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

namespace aquifer::manifests {
namespace {

class TrafficLint {
 public:
  TrafficLint(const RouteMesh& mesh, const LintMesh& lint, Findings& findings)
      : mesh_(mesh), lint_(lint), findings_(findings), labels_(mesh.assembly) {
    for (const l7::ChainPtr& chain : mesh.assembly.state.books.routing->chains()) {
      for (const l7::RoutePtr& route : chain->routes.routes()) {
        note_used(route->origin);
        if (const auto* forward = std::get_if<l7::Forward>(&route->action)) note(forward->clusters);
      }
      for (const l7::TcpRoute& route : chain->tcp_routes) {
        note_used(route.origin);
        note(route.clusters);
      }
    }
  }

  void look(const VirtualServiceObject& object) {
    if (!object.for_mesh) return;
    bool any_service = false;
    for (std::size_t i = 0; i < object.hosts.size(); ++i) {
      const std::string host = mesh_.services.full_host(object.hosts[i], object.meta.ns);
      const auto services = matching(host);
      any_service = any_service || !services.empty();
      const std::string field = fmt::format("spec.hosts[{}]", i);
      if (services.empty()) {
        findings_.warn("VirtualService", object.meta, {field, ""},
                       fmt::format("no service has the host {}: it has no effect; write the host "
                                   "name of one",
                                   in_quotes(host)));
        continue;
      }
      const bool served = std::ranges::any_of(
          services, [](const auto* record) { return !record->service->waypoints.empty(); });
      if (!served) {
        findings_.error("VirtualService", object.meta, {field, ""},
                        fmt::format("no waypoint serves {}: the VirtualService has no effect; "
                                    "write the label istio.io/use-waypoint on the service or its "
                                    "namespace",
                                    in_quotes(host)));
      }
    }
    const bool says = !object.http.empty() || !object.tls.empty() || !object.tcp.empty();
    if (any_service && says &&
        !used_.contains(fmt::format("{}/{}", object.meta.ns, object.meta.name))) {
      findings_.warn("VirtualService", object.meta, {"spec.hosts", ""},
                     "has no effect: an older VirtualService or a route of the Gateway API is for "
                     "the same hosts, the waypoint's namespace may not see it, or its matches "
                     "can never be true");
    }
  }

  void look(const DestinationRuleObject& rule) {
    if (rule.for_sidecars) return;
    const std::string host = mesh_.services.full_host(rule.host, rule.meta.ns);
    const auto services = matching(host);
    if (services.empty()) {
      return findings_.warn("DestinationRule", rule.meta, {"spec.host", ""},
                            fmt::format("no service has the host {}: it has no effect; write the "
                                        "host name of one",
                                        in_quotes(host)));
    }
    bool counts = false;
    bool read = false;
    for (const model::ServiceRecord* record : services) {
      const auto rules = mesh_.rules.of(*record->service).rules;
      if (std::ranges::find(rules, &rule) == rules.end()) continue;
      counts = true;
      read = read || !record->service->waypoints.empty() ||
             sent_to_.contains(model::service_key(record->service->ns, record->service->hostname));
      look_at_subsets(rule, *record);
    }
    if (!counts) {
      findings_.warn(
          "DestinationRule", rule.meta, {"spec.host", ""},
          "has no effect: rules of the waypoint's namespace, then of the service's, then "
          "of the root namespace are looked for, and it is in none of these, not "
          "exported, or another there is more exact");
    } else if (!read) {
      findings_.warn(
          "DestinationRule", rule.meta, {"spec.host", ""},
          fmt::format("no waypoint serves {} and no route sends to it: it has no effect; "
                      "write the label istio.io/use-waypoint on the service",
                      in_quotes(host)));
    }
  }

 private:
  void note(const std::vector<l7::WeightedCluster>& clusters) {
    for (const l7::WeightedCluster& cluster : clusters)
      sent_to_.insert(cluster.cluster.substr(0, cluster.cluster.find(':')));
  }
  void note_used(const l7::RouteOrigin& origin) {
    if (origin.kind == "VirtualService") used_.insert(fmt::format("{}/{}", origin.ns, origin.name));
  }

  [[nodiscard]] std::vector<const model::ServiceRecord*> matching(std::string_view host) const {
    if (!host.starts_with('*')) return mesh_.services.of_host(host);
    std::vector<const model::ServiceRecord*> records;
    for (const model::ServiceRecord& record : mesh_.assembly.state.services) {
      if (host_covers(host, record.service->hostname)) records.push_back(&record);
    }
    return records;
  }

  void look_at_subsets(const DestinationRuleObject& rule, const model::ServiceRecord& record) {
    // A wildcard's subsets are seldom meant for every service that it covers.
    if (rule.host.starts_with('*')) return;
    for (std::size_t i = 0; i < rule.subsets.size(); ++i) {
      const SubsetObject& subset = rule.subsets[i];
      if (subset.labels.empty() || !labels_.members(record, subset.labels).empty()) continue;
      const std::string& ns = record.service->ns;
      const std::string why = lint_.pods.select(ns, subset.labels).empty()
                                  ? lint_.pods.why_none(ns, subset.labels)
                                  : std::string("the pods that have these labels do not serve it");
      findings_.warn("DestinationRule", rule.meta, {fmt::format("spec.subsets[{}].labels", i), ""},
                     fmt::format("selects no endpoint of {}: {}. Requests to it fail",
                                 record.service->hostname, why));
    }
  }

  const RouteMesh& mesh_;
  const LintMesh& lint_;
  Findings& findings_;
  WorkloadLabels labels_;
  std::unordered_set<std::string> used_;     // VirtualServices of which some route came
  std::unordered_set<std::string> sent_to_;  // service keys
};

}  // namespace

void lint_traffic(const RouteMesh& mesh, const LintMesh& lint, Findings& findings) {
  TrafficLint traffic(mesh, lint, findings);
  mesh.assembly.for_each(&FileObjects::virtual_services,
                         [&](const VirtualServiceObject& object) { traffic.look(object); });
  mesh.assembly.for_each(&FileObjects::destination_rules,
                         [&](const DestinationRuleObject& rule) { traffic.look(rule); });
}

}  // namespace aquifer::manifests
