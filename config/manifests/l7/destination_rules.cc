#include "config/manifests/l7/destination_rules.h"

#include "config/manifests/l7/precedence.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace aquifer::manifests {
namespace {

bool says_anything(const TrafficPolicyObject& policy) noexcept {
  return policy.balancing || policy.limits || policy.outlier || policy.tls || policy.retry_budget ||
         !policy.ports.empty();
}

bool is_visible(const DestinationRuleObject& rule, std::string_view ns) {
  return rule.export_to.empty() || std::ranges::find(rule.export_to, ns) != rule.export_to.end();
}

}  // namespace

bool host_covers(std::string_view pattern, std::string_view hostname) noexcept {
  if (pattern == "*") return true;
  if (!pattern.starts_with("*.")) return pattern == hostname;
  return hostname.size() > pattern.size() - 1 && hostname.ends_with(pattern.substr(1));
}

std::string waypoint_ns(const model::Service& service) {
  if (service.waypoints.empty()) return service.ns;
  const std::string& name = service.waypoints.front().name;
  return name.substr(0, name.find('/'));
}

const SubsetObject* EffectiveRule::subset(std::string_view name) const noexcept {
  const auto at = std::ranges::find(subsets, name, &SubsetObject::name);
  return at == subsets.end() ? nullptr : *at;
}

DestinationRules::DestinationRules(const MeshServices& services) : services_(services) {
  std::vector<const DestinationRuleObject*> all;
  services.assembly().for_each(&FileObjects::destination_rules,
                               [&](const DestinationRuleObject& rule) {
                                 if (!rule.for_sidecars) all.push_back(&rule);
                               });
  std::ranges::sort(all, [](const auto* a, const auto* b) { return is_older(a->meta, b->meta); });
  for (const DestinationRuleObject* rule : all) {
    const std::string host = services.full_host(rule->host, rule->meta.ns);
    if (host.starts_with('*')) {
      wildcards_[rule->meta.ns].push_back(rule);
    } else {
      by_host_[fmt::format("{}/{}", rule->meta.ns, host)].push_back(rule);
    }
  }
}

DestinationRules::Rules DestinationRules::find(std::string_view rules_ns,
                                               std::string_view waypoint_ns,
                                               std::string_view hostname) const {
  Rules found;
  if (const auto at = by_host_.find(fmt::format("{}/{}", rules_ns, hostname));
      at != by_host_.end()) {
    std::ranges::copy_if(at->second, std::back_inserter(found),
                         [&](const auto* rule) { return is_visible(*rule, waypoint_ns); });
  }
  const auto wild = wildcards_.find(std::string(rules_ns));
  if (!found.empty() || wild == wildcards_.end()) return found;
  // The longest pattern is the most exact; all rules of that one pattern count.
  std::string_view best;
  for (const DestinationRuleObject* rule : wild->second) {
    if (!is_visible(*rule, waypoint_ns) || !host_covers(rule->host, hostname)) continue;
    if (rule->host.size() > best.size()) {
      best = rule->host;
      found.clear();
    }
    if (rule->host == best) found.push_back(rule);
  }
  return found;
}

EffectiveRule DestinationRules::of(const model::Service& service) const {
  const std::string waypoint = waypoint_ns(service);
  EffectiveRule effective;
  for (const std::string_view ns :
       {std::string_view(waypoint), std::string_view(service.ns),
        std::string_view(services_.assembly().state.mesh_config.root_namespace)}) {
    effective.rules = find(ns, waypoint, service.hostname);
    if (!effective.rules.empty()) break;
  }
  for (const DestinationRuleObject* rule : effective.rules) {
    if (effective.policy == nullptr && says_anything(rule->policy))
      effective.policy = &rule->policy;
    for (const SubsetObject& subset : rule->subsets) {
      if (effective.subset(subset.name) == nullptr) effective.subsets.push_back(&subset);
    }
  }
  return effective;
}

}  // namespace aquifer::manifests
