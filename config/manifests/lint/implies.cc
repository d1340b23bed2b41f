#include "config/manifests/lint/implies.h"

#include <algorithm>

namespace aquifer::manifests {
namespace {

using model::AuthorizationClause;
using model::AuthorizationMatch;
using model::AuthorizationRule;
using model::Constraint;
using model::StringMatch;

bool covers(const StringMatch& wide, const StringMatch& narrow) {
  using Kind = StringMatch::Kind;
  if (wide == narrow) return true;
  switch (wide.kind) {
    case Kind::exact: return false;
    // Whatever a text begins or ends with, it is not empty.
    case Kind::presence: return !narrow.text.empty();
    case Kind::prefix:
      return (narrow.kind == Kind::exact || narrow.kind == Kind::prefix) &&
             narrow.text.starts_with(wide.text);
    case Kind::suffix:
      return (narrow.kind == Kind::exact || narrow.kind == Kind::suffix) &&
             narrow.text.ends_with(wide.text);
  }
  return false;
}

bool covers(const Cidr& wide, const Cidr& narrow) {
  return wide.prefix_bits() <= narrow.prefix_bits() && wide.contains(narrow.address());
}

bool covers(std::uint16_t wide, std::uint16_t narrow) {
  return wide == narrow;
}

bool covers(const model::ServiceAccountMatch& wide, const model::ServiceAccountMatch& narrow) {
  return wide == narrow;
}

// `wide` asks for no more than `narrow` does.
template <typename T>
bool implies(const Constraint<T>& narrow, const Constraint<T>& wide) {
  const auto covered_by = [](const std::vector<T>& values) {
    return [&values](const T& value) {
      return std::ranges::any_of(values, [&](const T& other) { return covers(other, value); });
    };
  };
  const bool one_of =
      wide.any_of.empty() ||
      (!narrow.any_of.empty() && std::ranges::all_of(narrow.any_of, covered_by(wide.any_of)));
  return one_of && std::ranges::all_of(wide.none_of, covered_by(narrow.none_of));
}

bool implies(const AuthorizationMatch& narrow, const AuthorizationMatch& wide) {
  // A match without conditions matches nothing: it is inside everything, and nothing inside it.
  if (narrow.empty() || wide.empty()) return narrow.empty();
  return implies(narrow.principals, wide.principals) &&
         implies(narrow.namespaces, wide.namespaces) &&
         implies(narrow.service_accounts, wide.service_accounts) &&
         implies(narrow.source_ips, wide.source_ips) &&
         implies(narrow.destination_ips, wide.destination_ips) &&
         implies(narrow.destination_ports, wide.destination_ports);
}

bool implies(const AuthorizationClause& narrow, const AuthorizationClause& wide) {
  if (wide.empty()) return true;
  return !narrow.empty() && std::ranges::all_of(narrow, [&](const AuthorizationMatch& match) {
    return std::ranges::any_of(
        wide, [&](const AuthorizationMatch& other) { return implies(match, other); });
  });
}

}  // namespace

bool implies(const AuthorizationRule& narrow, const AuthorizationRule& wide) {
  return std::ranges::all_of(wide, [&](const AuthorizationClause& clause) {
    return clause.empty() || std::ranges::any_of(narrow, [&](const AuthorizationClause& other) {
             return implies(other, clause);
           });
  });
}

bool implies(const std::vector<AuthorizationRule>& narrow,
             const std::vector<AuthorizationRule>& wide) {
  return !narrow.empty() && std::ranges::all_of(narrow, [&](const AuthorizationRule& rule) {
    return std::ranges::any_of(
        wide, [&](const AuthorizationRule& other) { return implies(rule, other); });
  });
}

}  // namespace aquifer::manifests
