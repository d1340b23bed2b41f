// EgressPolicies -> the book of them.
#include "config/manifests/assembly.h"
#include "config/manifests/read_objects.h"
#include "config/manifests/selector_groups.h"

#include <fmt/format.h>

#include <memory>
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

// Names that no service has, once each: the rule matches nothing, which a DENY rule's author must
// know.
void warn_of_unknown(Assembly& assembly, const EgressPolicyObject& object,
                     const std::unordered_set<std::string>& known) {
  const auto& rules = object.policy.rules;
  for (std::size_t rule = 0; rule < rules.size(); ++rule) {
    for (std::size_t to = 0; to < rules[rule].to.size(); ++to) {
      for (const ServicePattern& pattern : rules[rule].to[to].services.any_of) {
        const std::string text = pattern.text();
        if (text.contains('*') || known.contains(text)) continue;
        assembly.report_at(Severity::warning, object.meta.origin,
                           object_name("EgressPolicy", object.meta),
                           fmt::format("spec.rules[{}].to[{}].services", rule, to),
                           fmt::format("no service is called {}: it matches nothing; look for a "
                                       "misspelling",
                                       text));
      }
    }
  }
}

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

  std::unordered_set<std::string> known;
  for (const model::ServiceRecord& record : assembly.state.services) {
    known.insert(record.service->hostname);
    known.insert(record.service->ns + "/" + record.service->name);
  }
  assembly.for_each(&FileObjects::egress_policies, [&](const EgressPolicyObject& object) {
    warn_of_unknown(assembly, object, known);
  });
  assembly.state.books.egress = std::make_shared<const EgressBook>(
      std::move(policies), groups.members(assembly), backing_of(assembly, named));
}

}  // namespace aquifer::manifests
