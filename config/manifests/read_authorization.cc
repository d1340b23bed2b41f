// AuthorizationPolicy -> AuthorizationPolicyObject: Istio's translation to what a proxy of layer 4
// can check. HTTP attributes never reach the model: a rule of an ALLOW policy that has one is left
// out, a rule of a DENY policy is enforced without them. A field of the spec that is not known is
// an error: left out, it would make the policy mean more or less than it says.
#include "config/manifests/authorization_values.h"
#include "config/manifests/read_objects.h"
#include "config/manifests/security/read_request_policy.h"
#include "config/manifests/security/target_refs.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace aquifer::manifests {
namespace {

using model::AuthorizationAction;
using model::AuthorizationClause;
using model::AuthorizationMatch;
using model::AuthorizationRule;

// An attribute that the proxy cannot see, and where it stands.
struct HttpField {
  std::string path;
  std::uint32_t line = 0;
};

// One of `from`, `to` and each `when`, as it was read.
struct ReadClause {
  AuthorizationClause matches;
  // Was some alternative left without any condition that can be checked?
  bool stripped = false;
};

// What a rule is read into.
struct ReadRule {
  std::vector<ReadClause> clauses;
  std::vector<HttpField> http;
};

template <std::size_t N>
bool read_http(Fields& fields, const std::string& path,
               const std::array<std::string_view, N>& names, ReadRule& rule) {
  bool any = false;
  for (const std::string_view name : names) {
    const YamlNode* value = fields.raw(name);
    if (value == nullptr || (value->kind == YamlKind::sequence && value->children.empty())) {
      continue;
    }
    any = true;
    rule.http.push_back({fmt::format("{}.{}", path, name), value->line});
  }
  return any;
}

constexpr std::array<std::string_view, 4> kHttpOfSource{"requestPrincipals", "notRequestPrincipals",
                                                        "remoteIpBlocks", "notRemoteIpBlocks"};
constexpr std::array<std::string_view, 6> kHttpOfOperation{"hosts",      "notHosts", "methods",
                                                           "notMethods", "paths",    "notPaths"};

void add_match(ReadClause& clause, AuthorizationMatch match, bool http, const Fields& fields,
               std::string_view example) {
  if (match.empty() && !http) {
    return fields.error("", fmt::format("says nothing: write {}, or leave it out", example));
  }
  clause.stripped = clause.stripped || match.empty();
  clause.matches.push_back(std::move(match));
}

void read_source(Fields& source, const std::string& ns, std::size_t index, ReadClause& clause,
                 ReadRule& rule) {
  AuthorizationMatch match;
  read_texts(source, "principals", Text::principal, match.principals.any_of);
  read_texts(source, "notPrincipals", Text::principal, match.principals.none_of);
  read_texts(source, "namespaces", Text::plain, match.namespaces.any_of);
  read_texts(source, "notNamespaces", Text::plain, match.namespaces.none_of);
  read_accounts(source, "serviceAccounts", ns, match.service_accounts.any_of);
  read_accounts(source, "notServiceAccounts", ns, match.service_accounts.none_of);
  read_networks(source, "ipBlocks", match.source_ips.any_of);
  read_networks(source, "notIpBlocks", match.source_ips.none_of);
  const bool http = read_http(source, fmt::format("from[{}].source", index), kHttpOfSource, rule);
  std::ignore = source.finish_strictly();
  add_match(clause, std::move(match), http, source, "principals: [...] for example");
}

void read_operation(Fields& operation, std::size_t index, ReadClause& clause, ReadRule& rule) {
  AuthorizationMatch match;
  read_ports(operation, "ports", match.destination_ports.any_of);
  read_ports(operation, "notPorts", match.destination_ports.none_of);
  const bool http =
      read_http(operation, fmt::format("to[{}].operation", index), kHttpOfOperation, rule);
  std::ignore = operation.finish_strictly();
  add_match(clause, std::move(match), http, operation, "ports: [...] for example");
}

void read_condition_values(Fields& when, std::string_view key, const std::string& ns,
                           AuthorizationMatch& match) {
  const auto both = [&](auto& constraint, auto&& read) {
    read("values", constraint.any_of);
    read("notValues", constraint.none_of);
  };
  if (key == "source.ip") {
    both(match.source_ips, [&](auto name, auto& out) { read_networks(when, name, out); });
  } else if (key == "destination.ip") {
    both(match.destination_ips, [&](auto name, auto& out) { read_networks(when, name, out); });
  } else if (key == "destination.port") {
    both(match.destination_ports, [&](auto name, auto& out) { read_ports(when, name, out); });
  } else if (key == "source.namespace") {
    both(match.namespaces, [&](auto name, auto& out) { read_texts(when, name, Text::plain, out); });
  } else if (key == "source.principal") {
    both(match.principals,
         [&](auto name, auto& out) { read_texts(when, name, Text::principal, out); });
  } else {
    both(match.service_accounts, [&](auto name, auto& out) { read_accounts(when, name, ns, out); });
  }
}

bool is_checked_key(std::string_view key) {
  constexpr std::array<std::string_view, 6> kKeys{"source.ip",        "source.namespace",
                                                  "source.principal", "source.serviceAccount",
                                                  "destination.ip",   "destination.port"};
  return std::ranges::find(kKeys, key) != kKeys.end();
}

bool is_http_key(std::string_view key) {
  constexpr std::array<std::string_view, 5> kKeys{"remote.ip", "request.auth.principal",
                                                  "request.auth.audiences",
                                                  "request.auth.presenter", "connection.sni"};
  return std::ranges::find(kKeys, key) != kKeys.end() || key.starts_with("request.headers[") ||
         key.starts_with("request.auth.claims[") || key.starts_with("experimental.");
}

void read_condition(Fields& when, const std::string& ns, std::size_t index, ReadRule& rule) {
  const std::string key = when.text_or("key", "");
  ReadClause clause;
  if (is_checked_key(key)) {
    AuthorizationMatch match;
    read_condition_values(when, key, ns, match);
    std::ignore = when.finish_strictly();
    add_match(clause, std::move(match), false, when, "values: [...] or notValues: [...]");
  } else if (is_http_key(key)) {
    when.ignore({"values", "notValues"});
    std::ignore = when.finish_strictly();
    rule.http.push_back({fmt::format("when[{}].key {}", index, key), when.line()});
    add_match(clause, {}, true, when, "");
  } else if (key.empty()) {
    when.error("key", "missing: write an attribute such as source.ip or destination.port");
  } else {
    when.error("key", fmt::format("\"{}\" is no attribute of Istio: write one such as source.ip, "
                                  "source.namespace, source.principal or destination.port",
                                  key.substr(0, 60)));
  }
  rule.clauses.push_back(std::move(clause));
}

ReadRule read_rule(Fields& fields, const std::string& ns) {
  ReadRule rule;
  const auto part = [&](std::string_view name, std::string_view inner, auto&& read) {
    if (fields.raw(name) == nullptr) return;
    ReadClause clause;
    std::size_t index = 0;
    fields.each(name, [&](Fields& item) {
      Fields map = item.map(inner);
      if (!map.present()) {
        item.error(inner, "missing: write the conditions there");
      } else {
        read(map, index, clause);
      }
      std::ignore = item.finish_strictly();
      ++index;
    });
    if (index == 0) fields.error(name, "is an empty list: name at least one, or leave it out");
    rule.clauses.push_back(std::move(clause));
  };
  part("from", "source", [&](Fields& source, std::size_t index, ReadClause& clause) {
    read_source(source, ns, index, clause, rule);
  });
  part("to", "operation", [&](Fields& operation, std::size_t index, ReadClause& clause) {
    read_operation(operation, index, clause, rule);
  });
  std::size_t index = 0;
  fields.each("when", [&](Fields& when) { read_condition(when, ns, index++, rule); });
  std::ignore = fields.finish_strictly();
  return rule;
}

// A DENY rule without its HTTP attributes: a clause that lost an alternative denies whatever the
// others select. Where no other clause is left that selects anything, what can still be checked
// stands, so that a rule about HTTP alone does not deny everything.
std::vector<ReadClause> without_http(const std::vector<ReadClause>& clauses) {
  std::vector<ReadClause> left;
  std::ranges::copy_if(clauses, std::back_inserter(left),
                       [](const ReadClause& clause) { return !clause.stripped; });
  if (!left.empty()) return left;
  for (ReadClause clause : clauses) {
    std::erase_if(clause.matches, [](const AuthorizationMatch& match) { return match.empty(); });
    if (!clause.matches.empty()) left.push_back(std::move(clause));
  }
  return left;
}

constexpr const char* kAllowText =
    "ztunnel does not see HTTP: this rule of an ALLOW policy matches NOTHING here; move the rule "
    "to "
    "a policy with targetRefs for a waypoint";
constexpr const char* kDenyText =
    "ztunnel does not see HTTP: this rule of a DENY policy is enforced without it and DENIES MORE "
    "than it says; move the rule to a policy with targetRefs for a waypoint";
constexpr const char* kNoEffectText =
    "ztunnel does not see HTTP: nothing else is left of this rule of a DENY policy, so it DENIES "
    "NOTHING here; move the rule to a policy with targetRefs for a waypoint";

void add_rule(const Fields& fields, ReadRule rule, model::AuthorizationPolicy& policy) {
  const bool deny = policy.action == AuthorizationAction::deny;
  const bool had_clauses = !rule.clauses.empty();
  if (!rule.http.empty() && deny) rule.clauses = without_http(rule.clauses);
  const bool left_out = !rule.http.empty() && (!deny || (had_clauses && rule.clauses.empty()));
  for (const HttpField& http : rule.http) {
    fields.warn_at(http.line, http.path, !deny ? kAllowText : left_out ? kNoEffectText : kDenyText);
  }
  if (left_out) return;
  AuthorizationRule& added = policy.rules.emplace_back();
  for (ReadClause& clause : rule.clauses) added.push_back(std::move(clause.matches));
}

void read_action(Fields& spec, AuthorizationPolicyObject& object) {
  const std::string action = spec.text_or("action", "ALLOW");
  if (action == "DENY") {
    object.policy.action = AuthorizationAction::deny;
  } else if (action == "AUDIT" || action == "CUSTOM") {
    object.supported_action = false;
    spec.warn("action",
              action == "AUDIT"
                  ? "ztunnel has no AUDIT: the policy has no effect here"
                  : "CUSTOM is for a waypoint: the policy is NOT ENFORCED here, traffic that its "
                    "provider would refuse STILL FLOWS; give it targetRefs for a waypoint");
  } else if (action != "ALLOW") {
    spec.error("action",
               fmt::format("\"{}\" is no action: write ALLOW or DENY", action.substr(0, 60)));
  }
  spec.ignore({"provider"});
}

void read_connection_policy(Fields& spec, AuthorizationPolicyObject& object) {
  read_action(spec, object);
  // What only a waypoint could enforce may name HTTP.
  if (!object.supported_action) return spec.ignore({"rules"});
  spec.each("rules", [&](Fields& rule) {
    if (!rule.present())
      return rule.error("", "is empty: write {} for a rule that matches all, or remove the dash");
    add_rule(rule, read_rule(rule, object.policy.ns), object.policy);
  });
}

}  // namespace

void read_authorization_policy(Fields& fields, Metadata meta, FileObjects& out) {
  AuthorizationPolicyObject object;
  object.policy.ns = meta.ns;
  object.policy.name = meta.name;
  if (const std::string* dry_run = meta.annotation("istio.io/dry-run")) {
    if (*dry_run == "true") {
      object.policy.enforcement = model::Enforcement::dry_run;
    } else if (*dry_run != "false") {
      fields.error("metadata.annotations",
                   fmt::format("istio.io/dry-run: \"{}\" is neither \"true\" nor \"false\"",
                               dry_run->substr(0, 60)));
    }
  }
  Fields spec = fields.map("spec");
  if (!spec.present()) {
    fields.warn("spec",
                "missing, which means an ALLOW policy without rules: everything is "
                "DENIED; write spec: {} if that is meant");
  }
  object.selector = read_selector(spec);
  object.targets = read_target_refs(spec, object.selector, meta.ns);
  object.for_waypoint = !object.targets.empty();
  if (object.for_waypoint) {
    object.requests.ns = meta.ns;
    object.requests.name = meta.name;
    object.requests.enforcement = object.policy.enforcement;
    read_request_policy(spec, object.requests);
  } else {
    read_connection_policy(spec, object);
  }
  std::ignore = spec.finish_strictly();
  fields.ignore({"status"});
  fields.finish();
  object.meta = std::move(meta);
  out.authorization_policies.push_back(std::move(object));
}

}  // namespace aquifer::manifests
