#include "ztunnel/policy_dump.h"

#include <nlohmann/json.hpp>

namespace aquifer::ztunnel {
namespace {

using nlohmann::json;

template <typename Value, typename Text>
void add_choice(json& into, const char* name, const char* not_name,
                const model::Choice<Value>& choice, Text text) {
  const auto list = [&text](const std::vector<Value>& values) {
    json all = json::array();
    for (const Value& value : values) all.push_back(text(value));
    return all;
  };
  if (!choice.any_of.empty()) into[name] = list(choice.any_of);
  if (!choice.none_of.empty()) into[not_name] = list(choice.none_of);
}

json target_json(const model::EgressTarget& target) {
  json result = json::object();
  const auto own_text = [](const auto& value) { return value.text(); };
  add_choice(result, "services", "notServices", target.services, own_text);
  add_choice(result, "hosts", "notHosts", target.hosts, own_text);
  add_choice(result, "serverNames", "notServerNames", target.server_names, own_text);
  add_choice(result, "cidrs", "notCidrs", target.cidrs,
             [](const Cidr& cidr) { return cidr.to_string(); });
  add_choice(result, "ports", "notPorts", target.ports, own_text);
  return result;
}

json network_rules_json(const std::vector<model::NetworkRule>& rules) {
  json result = json::array();
  for (const model::NetworkRule& rule : rules) {
    json entry = json::object();
    if (rule.peers) {
      json blocks = json::array();
      std::size_t selectors = 0;
      for (const model::NetworkPeer& peer : *rule.peers) {
        const auto* block = std::get_if<model::AddressBlock>(&peer);
        if (block == nullptr) {
          ++selectors;
          continue;
        }
        json except = json::array();
        for (const Cidr& cidr : block->except) except.push_back(cidr.to_string());
        blocks.push_back(json{{"cidr", block->block.to_string()}, {"except", except}});
      }
      entry["peers"] = json{{"selectors", selectors}, {"ipBlocks", blocks}};
    }
    if (rule.ports) {
      json ports = json::array();
      for (const model::NetworkPort& port : *rule.ports) {
        if (!port.name.empty()) {
          ports.push_back(port.name);
        } else if (port.first == port.last) {
          ports.push_back(port.first);
        } else {
          ports.push_back(std::to_string(port.first) + "-" + std::to_string(port.last));
        }
      }
      entry["ports"] = ports;
    }
    result.push_back(entry);
  }
  return result;
}

json string_match_json(const model::StringMatch& match) {
  switch (match.kind) {
    case model::StringMatch::Kind::exact: return {{"Exact", match.text}};
    case model::StringMatch::Kind::prefix: return {{"Prefix", match.text}};
    case model::StringMatch::Kind::suffix: return {{"Suffix", match.text}};
    case model::StringMatch::Kind::presence: return {{"Presence", json::array()}};
  }
  return json::object();
}

json match_json(const model::AuthorizationMatch& match) {
  json result = json::object();
  const auto add = [&result](const char* name, const char* not_name, const auto& constraint,
                             auto to_json) {
    const auto list = [&to_json](const auto& values) {
      json all = json::array();
      for (const auto& value : values) all.push_back(to_json(value));
      return all;
    };
    if (!constraint.any_of.empty()) result[name] = list(constraint.any_of);
    if (!constraint.none_of.empty()) result[not_name] = list(constraint.none_of);
  };
  const auto cidr_text = [](const Cidr& cidr) { return cidr.to_string(); };
  add("principals", "notPrincipals", match.principals, string_match_json);
  add("namespaces", "notNamespaces", match.namespaces, string_match_json);
  add("serviceAccounts", "notServiceAccounts", match.service_accounts,
      [](const model::ServiceAccountMatch& account) {
        return json{{"namespace", account.ns}, {"serviceAccount", account.name}};
      });
  add("sourceIps", "notSourceIps", match.source_ips, cidr_text);
  add("destinationIps", "notDestinationIps", match.destination_ips, cidr_text);
  add("destinationPorts", "notDestinationPorts", match.destination_ports,
      [](std::uint16_t port) { return port; });
  return result;
}

}  // namespace

json authorization_json(const model::AuthorizationBook& book) {
  json result = json::array();
  book.for_each([&result](const model::AuthorizationPolicyPtr& policy) {
    json rules = json::array();
    for (const model::AuthorizationRule& rule : policy->rules) {
      json clauses = json::array();
      for (const model::AuthorizationClause& clause : rule) {
        json matches = json::array();
        for (const model::AuthorizationMatch& match : clause) matches.push_back(match_json(match));
        clauses.push_back(matches);
      }
      rules.push_back(clauses);
    }
    result.push_back(
        json{{"name", policy->name},
             {"namespace", policy->ns},
             {"scope", model::name_of(policy->scope)},
             {"action", policy->action == model::AuthorizationAction::allow ? "Allow" : "Deny"},
             {"dryRun", policy->dry_run()},
             {"rules", rules}});
  });
  return result;
}

json egress_json(const model::EgressBook& book) {
  json result = json::array();
  for (const model::EgressPolicy& policy : book.policies()) {
    json rules = json::array();
    for (const model::EgressRule& rule : policy.rules) {
      json to = json::array();
      for (const model::EgressTarget& target : rule.to) to.push_back(target_json(target));
      rules.push_back(json{{"action", model::name_of(rule.action)}, {"to", to}});
    }
    const char* scope = policy.group                 ? "WorkloadSelector"
                        : policy.selected_ns.empty() ? "Global"
                                                     : "Namespace";
    result.push_back(json{{"name", policy.name},
                          {"namespace", policy.ns},
                          {"scope", scope},
                          {"default", model::name_of(policy.fallback)},
                          {"dryRun", policy.enforcement == model::Enforcement::dry_run},
                          {"rules", rules}});
  }
  return result;
}

json network_json(const model::NetworkPolicyBook& book) {
  json result = json::array();
  for (const model::NetworkPolicy& policy : book.policies()) {
    json entry{{"name", policy.name}, {"namespace", policy.ns}};
    if (policy.ingress) entry["ingress"] = network_rules_json(*policy.ingress);
    if (policy.egress) entry["egress"] = network_rules_json(*policy.egress);
    result.push_back(entry);
  }
  return result;
}

}  // namespace aquifer::ztunnel
