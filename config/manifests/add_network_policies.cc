// NetworkPolicies -> the book of them.
#include "config/manifests/assembly.h"
#include "config/manifests/selector_groups.h"

#include <algorithm>
#include <memory>
#include <unordered_set>
#include <utility>

namespace aquifer::manifests {
namespace {

using model::NetworkPolicyBook;

class Compiler {
 public:
  explicit Compiler(const Assembly& assembly) : assembly_(assembly) {}

  void add(const NetworkPolicyObject& object) {
    model::NetworkPolicy policy;
    policy.ns = object.meta.ns;
    policy.name = object.meta.name;
    policy.selected = groups_.in_namespace(policy.ns, object.pods);
    policy.ingress = rules(policy.ns, object.ingress);
    policy.egress = rules(policy.ns, object.egress);
    policies_.push_back(std::move(policy));
  }

  [[nodiscard]] NetworkPolicyBook finish() && {
    auto members = groups_.members(assembly_);
    auto nodes = node_addresses(members);
    return {std::move(policies_), std::move(members), named_ports(), std::move(nodes)};
  }

 private:
  std::optional<std::vector<model::NetworkRule>> rules(
      const std::string& ns, const std::optional<std::vector<NetworkRuleObject>>& objects) {
    if (!objects) return std::nullopt;
    std::vector<model::NetworkRule> result;
    for (const NetworkRuleObject& object : *objects) {
      model::NetworkRule rule;
      if (object.peers) {
        rule.peers.emplace();
        for (const NetworkPeerObject& peer : *object.peers)
          rule.peers->push_back(compile(ns, peer));
      }
      rule.ports = object.ports;
      const auto named = [](const model::NetworkPort& port) { return !port.name.empty(); };
      uses_names_ = uses_names_ || (rule.ports && std::ranges::any_of(*rule.ports, named));
      result.push_back(std::move(rule));
    }
    return result;
  }

  model::NetworkPeer compile(const std::string& ns, const NetworkPeerObject& peer) {
    if (peer.block) return *peer.block;
    const LabelSelector pods = peer.pods.value_or(LabelSelector());
    return peer.namespaces ? groups_.in_namespaces(*peer.namespaces, pods)
                           : groups_.in_namespace(ns, pods);
  }

  // Of pods that name ports, and only if a policy asks for names.
  [[nodiscard]] NetworkPolicyBook::NamedPorts named_ports() const {
    NetworkPolicyBook::NamedPorts result;
    if (!uses_names_) return result;
    assembly_.for_each(&FileObjects::pods, [&](const PodObject& pod) {
      if (!is_workload(pod) || pod.named_ports.empty()) return;
      auto& ports = result[pod_uid(assembly_.options, pod.meta.ns, pod.meta.name)];
      for (const NamedPort& port : pod.named_ports) ports.push_back({port.name, port.number});
    });
    return result;
  }

  [[nodiscard]] NetworkPolicyBook::NodeAddresses node_addresses(
      const model::WorkloadGroups& members) const {
    NetworkPolicyBook::NodeAddresses result;
    std::unordered_set<model::GroupId> selected;
    for (const model::NetworkPolicy& policy : policies_) selected.insert(policy.selected);
    assembly_.for_each(&FileObjects::pods, [&](const PodObject& pod) {
      if (pod.host_addresses.empty()) return;
      std::string uid = pod_uid(assembly_.options, pod.meta.ns, pod.meta.name);
      const auto is_selecting = [&](model::GroupId group) { return selected.contains(group); };
      if (std::ranges::any_of(members.of(uid), is_selecting)) {
        result.emplace(std::move(uid), pod.host_addresses);
      }
    });
    return result;
  }

  const Assembly& assembly_;
  SelectorGroups groups_;
  std::vector<model::NetworkPolicy> policies_;
  bool uses_names_ = false;
};

}  // namespace

void add_network_policies(Assembly& assembly) {
  Compiler compiler(assembly);
  assembly.for_each(&FileObjects::network_policies,
                    [&](const NetworkPolicyObject& object) { compiler.add(object); });
  assembly.state.books.network =
      std::make_shared<const NetworkPolicyBook>(std::move(compiler).finish());
}

}  // namespace aquifer::manifests
