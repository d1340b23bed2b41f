// Peers of NetworkPolicies that no pod is, and names of ports that no pod gives: such a rule opens
// nothing, and what it was to open is cut off.
#include "config/manifests/lint/lint.h"
#include "config/manifests/lint/words.h"
#include "config/manifests/selector_groups.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

namespace aquifer::manifests {
namespace {

using Pods = PodIndex::Pods;

class PeerLint {
 public:
  PeerLint(const LintMesh& mesh, Findings& findings) : mesh_(mesh), findings_(findings) {
    for (const auto& [name, ns] : mesh.assembly.namespaces) namespaces_.insert(name);
    for (const PodObject* pod : mesh.pods.in("")) namespaces_.insert(pod->meta.ns);
  }

  void look(const NetworkPolicyObject& object) {
    const Pods selected = matching(mesh_.pods.in(object.meta.ns), object.pods);
    if (object.ingress) {
      for (std::size_t i = 0; i < object.ingress->size(); ++i) {
        const NetworkRuleObject& rule = (*object.ingress)[i];
        const std::string field = fmt::format("spec.ingress[{}]", i);
        std::ignore = peers(object, rule, field + ".from");
        look_at_ports(object, rule, field, selected, "selected pod");
      }
    }
    if (!object.egress) return;
    for (std::size_t i = 0; i < object.egress->size(); ++i) {
      const NetworkRuleObject& rule = (*object.egress)[i];
      const std::string field = fmt::format("spec.egress[{}]", i);
      const Pods destinations = peers(object, rule, field + ".to");
      look_at_ports(object, rule, field, destinations, "pod of its peers");
    }
  }

 private:
  static Pods matching(const Pods& pods, const LabelSelector& selector) {
    Pods result;
    std::ranges::copy_if(pods, std::back_inserter(result), [&](const PodObject* pod) {
      return !pod->host_network && selector.matches(pod->meta.labels);
    });
    return result;
  }

  // The pods that a rule's peers are; says which of them are none.
  Pods peers(const NetworkPolicyObject& object, const NetworkRuleObject& rule,
             const std::string& field) {
    if (!rule.peers) return mesh_.pods.in("");
    Pods result;
    for (std::size_t i = 0; i < rule.peers->size(); ++i) {
      const NetworkPeerObject& peer = (*rule.peers)[i];
      if (peer.block) continue;
      const Pods& pods = pods_of(object.meta.ns, peer);
      if (pods.empty()) warn_of_nobody(object, peer, fmt::format("{}[{}]", field, i));
      result.insert(result.end(), pods.begin(), pods.end());
    }
    return result;
  }

  // Many policies name the same peers.
  const Pods& pods_of(const std::string& ns, const NetworkPeerObject& peer) {
    const LabelSelector selector = peer.pods.value_or(LabelSelector());
    const std::string space = peer.namespaces ? "s" + peer.namespaces->key() : "n" + ns;
    const auto [at, added] =
        peers_.try_emplace(fmt::format("{}:{}/{}", space.size(), space, selector.key()));
    if (!added) return at->second;
    if (!peer.namespaces) return at->second = matching(mesh_.pods.in(ns), selector);
    for (const std::string& name : namespaces_) {
      if (!peer.namespaces->matches(namespace_labels(mesh_.assembly, name))) continue;
      const Pods found = matching(mesh_.pods.in(name), selector);
      at->second.insert(at->second.end(), found.begin(), found.end());
    }
    return at->second;
  }

  void warn_of_nobody(const NetworkPolicyObject& object, const NetworkPeerObject& peer,
                      const std::string& field) {
    findings_.warn("NetworkPolicy", object.meta, {field, ""},
                   fmt::format("selects no pod, so it lets nobody through: {}. Write labels that "
                               "the peers have",
                               why_nobody(object, peer)));
  }

  [[nodiscard]] std::string why_nobody(const NetworkPolicyObject& object,
                                       const NetworkPeerObject& peer) const {
    if (peer.namespaces) {
      const bool some = std::ranges::any_of(namespaces_, [&](const std::string& name) {
        return peer.namespaces->matches(namespace_labels(mesh_.assembly, name));
      });
      return some ? "no pod of the namespaces that fit namespaceSelector fits the peer"
                  : "no namespace fits namespaceSelector";
    }
    const LabelSelector selector = peer.pods.value_or(LabelSelector());
    // Pods of the host's network may have the labels.
    if (selector.match_expressions.empty() &&
        mesh_.pods.select(object.meta.ns, selector.match_labels).empty()) {
      return mesh_.pods.why_none(object.meta.ns, selector.match_labels);
    }
    return fmt::format("no pod of namespace {} that has a network of its own fits podSelector",
                       object.meta.ns);
  }

  // `pods` are the destinations, whose names count. None: that is said where they are selected.
  void look_at_ports(const NetworkPolicyObject& object, const NetworkRuleObject& rule,
                     const std::string& field, const Pods& pods, std::string_view whose) {
    if (!rule.ports || pods.empty()) return;
    for (const model::NetworkPort& port : *rule.ports) {
      if (port.name.empty() || has_name(pods, port.name)) continue;
      std::vector<std::string> names;
      for (const PodObject* pod : pods) {
        for (const NamedPort& named : pod->named_ports) names.push_back(named.name);
      }
      const std::string known = some_of(std::move(names));
      findings_.warn(
          "NetworkPolicy", object.meta, {field + ".ports", port.name},
          fmt::format("no {} calls a port {}, so it opens nothing: write {}", whose,
                      in_quotes(port.name),
                      known.empty() ? "a number" : fmt::format("a number, or one of {}", known)));
    }
  }

  static bool has_name(const Pods& pods, std::string_view name) {
    return std::ranges::any_of(pods, [&](const PodObject* pod) {
      return std::ranges::any_of(pod->named_ports,
                                 [&](const NamedPort& port) { return port.name == name; });
    });
  }

  const LintMesh& mesh_;
  Findings& findings_;
  std::unordered_set<std::string> namespaces_;
  std::unordered_map<std::string, Pods> peers_;
};

}  // namespace

void lint_network_peers(const LintMesh& mesh, Findings& findings) {
  PeerLint lint(mesh, findings);
  mesh.assembly.for_each(&FileObjects::network_policies,
                         [&](const NetworkPolicyObject& object) { lint.look(object); });
}

}  // namespace aquifer::manifests
