// Policies and connections written in one line, for tables of cases.
//
//   policy:     "DENY default/p" and its rules; more words: "global", "selector", "dry-run"
//   rules:      rule ; rule      clause & clause      match | match      field field ...
//   field:      principal= ns= sa= src= dst= port=, each with values a,b,c; a `!` before it negates
//   special:    `true` a rule without clauses, `()` a clause without matches, `{}` an empty match
//   connection: "shop/web 10.0.0.9 -> 8080"; `-` for no identity; the port may be "10.0.0.1:8080"
#pragma once

#include "common/base/assert.h"
#include "config/model/authorization.h"
#include "tests/unit/config/model/fixtures.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace aquifer::model::test {

inline std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (;;) {
    const std::size_t end = text.find(separator);
    std::string_view part = text.substr(0, end);
    while (part.starts_with(' ')) part.remove_prefix(1);
    while (part.ends_with(' ')) part.remove_suffix(1);
    if (!part.empty()) parts.emplace_back(part);
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

inline StringMatch string_match(const std::string& text) {
  using enum StringMatch::Kind;
  if (text == "*") return {presence, ""};
  if (text.starts_with('*')) return {suffix, text.substr(1)};
  if (text.ends_with('*')) return {prefix, text.substr(0, text.size() - 1)};
  return {exact, text};
}

inline std::uint16_t port_of(std::string_view text) {
  std::uint16_t port = 0;
  std::from_chars(text.data(), text.data() + text.size(), port);
  return port;
}

inline void add_field(AuthorizationMatch& match, std::string_view text) {
  const bool negated = text.starts_with('!');
  if (negated) text.remove_prefix(1);
  const std::size_t equals = text.find('=');
  const std::string_view name = text.substr(0, equals);
  const auto values = split(text.substr(equals + 1), ',');
  const auto add = [&](auto& constraint, auto&& parse) {
    auto& list = negated ? constraint.none_of : constraint.any_of;
    for (const std::string& value : values) list.push_back(parse(value));
  };
  const auto cidr = [](const std::string& value) { return Cidr::parse(value).value(); };
  if (name == "principal") return add(match.principals, string_match);
  if (name == "ns") return add(match.namespaces, string_match);
  if (name == "src") return add(match.source_ips, cidr);
  if (name == "dst") return add(match.destination_ips, cidr);
  if (name == "port") return add(match.destination_ports, port_of);
  AQUIFER_ASSERT(name == "sa");
  add(match.service_accounts, [](const std::string& value) {
    const std::size_t slash = value.find('/');
    return ServiceAccountMatch{value.substr(0, slash), value.substr(slash + 1)};
  });
}

inline AuthorizationMatch match_of(std::string_view text) {
  AuthorizationMatch match;
  if (text == "{}") return match;
  for (const std::string& field : split(text, ' ')) add_field(match, field);
  return match;
}

inline std::vector<AuthorizationRule> rules_of(std::string_view text) {
  std::vector<AuthorizationRule> rules;
  for (const std::string& rule_text : split(text, ';')) {
    AuthorizationRule& rule = rules.emplace_back();
    if (rule_text == "true") continue;
    for (const std::string& clause_text : split(rule_text, '&')) {
      AuthorizationClause& clause = rule.emplace_back();
      if (clause_text == "()") continue;
      for (const std::string& match : split(clause_text, '|')) clause.push_back(match_of(match));
    }
  }
  return rules;
}

/// A policy as a table writes it.
struct PolicyText {
  std::string head;
  std::string rules;
};

inline AuthorizationPolicyPtr policy_of(const PolicyText& text) {
  const auto words = split(text.head, ' ');
  const auto says = [&](const char* word) { return std::ranges::find(words, word) != words.end(); };
  const std::size_t slash = words.at(1).find('/');
  AuthorizationPolicy policy;
  policy.ns = words[1].substr(0, slash);
  policy.name = words[1].substr(slash + 1);
  if (says("DENY")) policy.action = AuthorizationAction::deny;
  if (says("global")) policy.scope = AuthorizationScope::global;
  if (says("selector")) policy.scope = AuthorizationScope::workload_selector;
  if (says("dry-run")) policy.enforcement = Enforcement::dry_run;
  policy.rules = rules_of(text.rules);
  return std::make_shared<const AuthorizationPolicy>(std::move(policy));
}

inline AuthorizationBook book_of(const std::vector<PolicyText>& texts) {
  std::vector<AuthorizationPolicyPtr> policies;
  for (const PolicyText& text : texts) policies.push_back(policy_of(text));
  return AuthorizationBook(policies);
}

/// A connection to default/server, and what a request refers to.
struct Connection {
  std::optional<SpiffeId> identity;
  AuthorizationRequest request;
  Workload workload = pod("server", "10.0.0.1");

  /// `selected` are the names in the workload's record.
  explicit Connection(std::string_view text, std::vector<std::string> selected = {}) {
    const auto words = split(text, ' ');
    AQUIFER_ASSERT(words.size() == 4);
    if (words[0] != "-") {
      const bool whole = words[0].contains("/ns/");
      const std::size_t slash = words[0].find('/');
      identity = whole ? SpiffeId::parse("spiffe://" + words[0]).value()
                       : SpiffeId::make("cluster.local", words[0].substr(0, slash),
                                        words[0].substr(slash + 1))
                             .value();
    }
    request.source = {ip(words[1]), 40000};
    const auto whole = SocketAddress::parse(words[3]);
    request.destination = whole ? *whole : SocketAddress{ip("10.0.0.1"), port_of(words[3])};
    std::ranges::sort(selected);
    workload.authorization_policies = std::move(selected);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  [[nodiscard]] const AuthorizationRequest& get() {
    request.identity = identity ? &*identity : nullptr;
    request.workload = &workload;
    return request;
  }
};

/// "allowed", "allowed by NS/NAME", "denied by NS/NAME", "none allowed".
inline std::string answer_of(const AuthorizationVerdict& verdict) {
  switch (verdict.reason) {
    case AuthorizationReason::no_policies: return "allowed";
    case AuthorizationReason::allowed: return "allowed by " + verdict.policy->key();
    case AuthorizationReason::denied: return "denied by " + verdict.policy->key();
    case AuthorizationReason::none_allowed: return "none allowed";
  }
  return {};
}

struct AuthorizationCase {
  const char* what;
  std::vector<PolicyText> policies;
  const char* connection;
  const char* answer;
  std::vector<std::string> selected = {};
};

}  // namespace aquifer::model::test
