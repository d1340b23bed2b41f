#include "config/model/authorization_policy.h"

#include <fmt/format.h>

#include <algorithm>

namespace aquifer::model {
namespace {

// What a clause of Istio's form can come from: operations have ports, sources have the rest, and a
// destination address is written in `when` only.
std::string_view part_of(const AuthorizationClause& clause) {
  const auto compares = [&](auto&& field) { return std::ranges::any_of(clause, field); };
  if (compares([](const AuthorizationMatch& m) { return !m.destination_ips.empty(); })) {
    return "when";
  }
  if (compares([](const AuthorizationMatch& m) { return !m.destination_ports.empty(); })) {
    return "to";
  }
  return "from";
}

}  // namespace

bool StringMatch::matches(std::string_view value) const noexcept {
  switch (kind) {
    case Kind::exact: return value == text;
    case Kind::prefix: return value.starts_with(text);
    case Kind::suffix: return value.ends_with(text);
    case Kind::presence: return !value.empty();
  }
  return false;
}

std::string StringMatch::to_string() const {
  switch (kind) {
    case Kind::exact: return text;
    case Kind::prefix: return text + "*";
    case Kind::suffix: return "*" + text;
    case Kind::presence: break;
  }
  return "*";
}

bool AuthorizationMatch::empty() const noexcept {
  return principals.empty() && namespaces.empty() && service_accounts.empty() &&
         source_ips.empty() && destination_ips.empty() && destination_ports.empty();
}

std::string AuthorizationPolicy::key() const {
  return fmt::format("{}/{}", ns, name);
}

std::string_view name_of(AuthorizationAction action) noexcept {
  return action == AuthorizationAction::allow ? "ALLOW" : "DENY";
}

std::string_view name_of(AuthorizationScope scope) noexcept {
  switch (scope) {
    case AuthorizationScope::global: return "Global";
    case AuthorizationScope::ns: return "Namespace";
    case AuthorizationScope::workload_selector: return "WorkloadSelector";
  }
  return "Namespace";
}

std::string clause_name(const AuthorizationPolicy& policy, std::size_t rule, std::size_t clause) {
  return fmt::format("rules[{}].{}", rule, part_of(policy.rules[rule][clause]));
}

}  // namespace aquifer::model
