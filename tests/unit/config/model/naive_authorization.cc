#include "tests/unit/config/model/naive_authorization.h"

namespace aquifer::model::naive {
namespace {

bool text_matches(const StringMatch& wanted, const std::string& actual) {
  const std::string& text = wanted.text;
  if (wanted.kind == StringMatch::Kind::exact) return actual == text;
  if (wanted.kind == StringMatch::Kind::presence) return actual.length() > 0;
  if (actual.length() < text.length()) return false;
  if (wanted.kind == StringMatch::Kind::prefix) return actual.substr(0, text.length()) == text;
  return actual.substr(actual.length() - text.length()) == text;
}

bool principal_matches(const StringMatch& wanted, const std::string& id) {
  const std::string scheme = "spiffe://";
  if (id.substr(0, scheme.length()) != scheme) return false;
  return text_matches(wanted, id.substr(scheme.length()));
}

bool bit_of(const std::vector<std::uint8_t>& bytes, int number) {
  const auto index = static_cast<std::size_t>(number);
  return ((bytes[index / 8] >> (7 - index % 8)) & 1) != 0;
}

bool in_network(const Cidr& network, const std::vector<std::uint8_t>& ip) {
  const auto base = network.address().bytes();
  if (base.size() != ip.size()) return false;
  const std::vector<std::uint8_t> start(base.begin(), base.end());
  for (int i = 0; i < network.prefix_bits(); ++i) {
    if (bit_of(start, i) != bit_of(ip, i)) return false;
  }
  return true;
}

// One field and its negation: nothing asked, or any of the values; and none of the others.
template <typename List, typename Matches>
bool field_holds(const List& any_of, const List& none_of, Matches matches) {
  bool found = any_of.empty();
  for (const auto& value : any_of) {
    if (matches(value)) found = true;
  }
  for (const auto& value : none_of) {
    if (matches(value)) return false;
  }
  return found;
}

bool match_holds(const AuthorizationMatch& m, const Facts& f) {
  const bool asks_nothing =
      m.principals.any_of.empty() && m.principals.none_of.empty() && m.namespaces.any_of.empty() &&
      m.namespaces.none_of.empty() && m.service_accounts.any_of.empty() &&
      m.service_accounts.none_of.empty() && m.source_ips.any_of.empty() &&
      m.source_ips.none_of.empty() && m.destination_ips.any_of.empty() &&
      m.destination_ips.none_of.empty() && m.destination_ports.any_of.empty() &&
      m.destination_ports.none_of.empty();
  if (asks_nothing) return false;
  const auto principal = [&](const StringMatch& v) { return principal_matches(v, f.principal); };
  const auto ns = [&](const StringMatch& v) { return text_matches(v, f.ns); };
  const auto account = [&](const ServiceAccountMatch& v) {
    return !f.principal.empty() && v.ns == f.ns && v.name == f.service_account;
  };
  const auto from = [&](const Cidr& v) { return in_network(v, f.source_ip); };
  const auto to = [&](const Cidr& v) { return in_network(v, f.destination_ip); };
  const auto port = [&](int v) { return v == f.destination_port; };
  return field_holds(m.principals.any_of, m.principals.none_of, principal) &&
         field_holds(m.namespaces.any_of, m.namespaces.none_of, ns) &&
         field_holds(m.service_accounts.any_of, m.service_accounts.none_of, account) &&
         field_holds(m.source_ips.any_of, m.source_ips.none_of, from) &&
         field_holds(m.destination_ips.any_of, m.destination_ips.none_of, to) &&
         field_holds(m.destination_ports.any_of, m.destination_ports.none_of, port);
}

bool policy_holds(const AuthorizationPolicy& policy, const Facts& facts) {
  for (const auto& rule : policy.rules) {
    bool all_clauses = true;
    for (const auto& clause : rule) {
      bool any_match = clause.empty();
      for (const auto& match : clause) {
        if (match_holds(match, facts)) any_match = true;
      }
      if (!any_match) all_clauses = false;
    }
    if (all_clauses) return true;
  }
  return false;
}

bool is_considered(const AuthorizationPolicy& policy, const Facts& facts) {
  for (const std::string& name : facts.workload_policies) {
    if (name == policy.ns + "/" + policy.name) return true;
  }
  if (policy.scope == AuthorizationScope::global) return true;
  return policy.scope == AuthorizationScope::ns && policy.ns == facts.workload_ns;
}

}  // namespace

Answer decide(const std::vector<AuthorizationPolicyPtr>& policies, const Facts& facts) {
  Answer denied{.allowed = false, .policies = {}, .dry_run_matches = {}};
  Answer allowed;
  bool allow_exists = false;
  std::vector<std::string> trials;
  for (const auto& policy : policies) {
    if (!is_considered(*policy, facts)) continue;
    const bool holds = policy_holds(*policy, facts);
    const std::string name = policy->ns + "/" + policy->name;
    if (policy->enforcement == Enforcement::dry_run) {
      if (holds) trials.push_back(name);
    } else if (policy->action == AuthorizationAction::deny) {
      if (holds) denied.policies.push_back(name);
    } else {
      allow_exists = true;
      if (holds) allowed.policies.push_back(name);
    }
  }
  Answer answer = allowed;
  if (!denied.policies.empty() || (allow_exists && allowed.policies.empty())) answer = denied;
  answer.dry_run_matches = trials;
  return answer;
}

Facts facts_of(const AuthorizationRequest& request) {
  Facts facts;
  if (request.identity != nullptr) {
    facts.principal = request.identity->to_string();
    facts.ns = std::string(request.identity->ns());
    facts.service_account = std::string(request.identity->service_account());
  }
  const auto source = request.source.ip.bytes();
  const auto destination = request.destination.ip.bytes();
  facts.source_ip.assign(source.begin(), source.end());
  facts.destination_ip.assign(destination.begin(), destination.end());
  facts.destination_port = request.destination.port;
  facts.workload_ns = request.workload->ns;
  facts.workload_policies = request.workload->authorization_policies;
  return facts;
}

}  // namespace aquifer::model::naive
