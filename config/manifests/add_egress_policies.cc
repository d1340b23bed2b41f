// EgressPolicies -> the book of them.
#include "config/manifests/assembly.h"
#include "config/manifests/read_objects.h"
#include "config/manifests/selector_groups.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace aquifer::manifests {
namespace {

using model::EgressBook;
using model::ServicePattern;

/// The services that any rule names, found by name where no wildcard forbids it.
class NamedServices {
 public:
  void add(const ServicePattern& pattern) {
    const std::string text = pattern.text();
    if (text.contains('*')) {
      wildcards_.push_back(pattern);
    } else {
      exact_.insert(text);
    }
  }
  [[nodiscard]] bool contains(const model::Service& service) const {
    if (exact_.contains(service.hostname) || exact_.contains(service.ns + "/" + service.name)) {
      return true;
    }
    return std::ranges::any_of(wildcards_, [&](const ServicePattern& pattern) {
      return pattern.matches(service.ns, service.name, service.hostname);
    });
  }

 private:
  std::unordered_set<std::string> exact_;
  std::vector<ServicePattern> wildcards_;
};

EgressBook::Backing backing_of(const Assembly& assembly, const NamedServices& named) {
  EgressBook::Backing backing;
  for (const model::ServiceRecord& record : assembly.state.services) {
    const model::Service& service = *record.service;
    if (!named.contains(service)) continue;
    for (const model::Endpoint& endpoint : record.endpoints->endpoints) {
      model::BackedService backed{service.ns, service.name, service.hostname, {}};
      for (const model::PortMapping& port : endpoint.ports)
        backed.ports.push_back(port.target_port);
      backing[endpoint.workload_uid].push_back(std::move(backed));
    }
  }
  return backing;
}

// Says of names and patterns that no service has: the rule matches nothing, or excludes nothing,
// which its author must know.
class UnknownServices {
 public:
  explicit UnknownServices(Assembly& assembly) : assembly_(assembly) {
    for (const model::ServiceRecord& record : assembly.state.services) {
      known_.insert(record.service->hostname);
      known_.insert(record.service->ns + "/" + record.service->name);
    }
  }

  void look(const EgressPolicyObject& object) {
    const auto& rules = object.policy.rules;
    for (std::size_t rule = 0; rule < rules.size(); ++rule) {
      for (std::size_t to = 0; to < rules[rule].to.size(); ++to) {
        const auto& services = rules[rule].to[to].services;
        const std::string target = fmt::format("spec.rules[{}].to[{}]", rule, to);
        for (const ServicePattern& pattern : services.any_of)
          look(object, target + ".services", pattern, "it matches nothing");
        for (const ServicePattern& pattern : services.none_of)
          look(object, target + ".notServices", pattern, "it excludes nothing");
      }
    }
  }

 private:
  void look(const EgressPolicyObject& object, std::string field, const ServicePattern& pattern,
            std::string_view effect) {
    const std::string text = pattern.text();
    // A lone * is no name that could be misspelt.
    if (text == "*" || is_known(pattern, text)) return;
    assembly_.report_at(Severity::warning, object.meta.origin,
                        object_name("EgressPolicy", object.meta), std::move(field),
                        fmt::format("no service {} {}: {}; look for a misspelling",
                                    text.contains('*') ? "is one of" : "is called", text, effect));
  }

  // Each pattern is compared with the services once.
  bool is_known(const ServicePattern& pattern, const std::string& text) {
    if (!text.contains('*')) return known_.contains(text);
    const auto [at, added] = wildcards_.try_emplace(text, false);
    if (added) {
      at->second =
          std::ranges::any_of(assembly_.state.services, [&](const model::ServiceRecord& record) {
            const model::Service& service = *record.service;
            return pattern.matches(service.ns, service.name, service.hostname);
          });
    }
    return at->second;
  }

  Assembly& assembly_;
  std::unordered_set<std::string> known_;
  std::unordered_map<std::string, bool> wildcards_;
};

}  // namespace

void add_egress_policies(Assembly& assembly) {
  SelectorGroups groups;
  NamedServices named;
  std::vector<model::EgressPolicy> policies;
  assembly.for_each(&FileObjects::egress_policies, [&](const EgressPolicyObject& object) {
    model::EgressPolicy policy = object.policy;
    const bool for_mesh = policy.ns == assembly.state.mesh_config.root_namespace;
    if (!for_mesh) policy.selected_ns = policy.ns;
    if (!object.selector.empty()) {
      const LabelSelector selector{object.selector, {}};
      policy.group =
          for_mesh ? groups.in_namespaces({}, selector) : groups.in_namespace(policy.ns, selector);
    }
    for (const model::EgressRule& rule : policy.rules) {
      for (const model::EgressTarget& target : rule.to) {
        for (const ServicePattern& pattern : target.services.any_of) named.add(pattern);
        for (const ServicePattern& pattern : target.services.none_of) named.add(pattern);
      }
    }
    policies.push_back(std::move(policy));
  });
  if (policies.empty()) return;

  UnknownServices unknown(assembly);
  assembly.for_each(&FileObjects::egress_policies,
                    [&](const EgressPolicyObject& object) { unknown.look(object); });
  assembly.state.books.egress = std::make_shared<const EgressBook>(
      std::move(policies), groups.members(assembly), backing_of(assembly, named));
}

}  // namespace aquifer::manifests
