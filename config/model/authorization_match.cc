#include "config/model/authorization_match.h"

#include <algorithm>

namespace aquifer::model {
namespace {

using Field = AuthorizationField;

// Calls `use(field, constraint, satisfies)` for each constraint of a match, where
// `satisfies(value)` compares one value with the request. Ends early when `use` says false.
template <typename Use>
bool for_each_constraint(const AuthorizationMatch& match, const AuthorizationRequest& request,
                         Use&& use) {
  const auto in = [](const IpAddress& ip) {
    return [&ip](const Cidr& block) { return block.contains(ip); };
  };
  return use(Field::destination_ip, match.destination_ips, in(request.destination.ip)) &&
         use(Field::source_ip, match.source_ips, in(request.source.ip)) &&
         use(Field::destination_port, match.destination_ports,
             [&](std::uint16_t port) { return port == request.destination.port; }) &&
         use(Field::service_account, match.service_accounts,
             [&](const ServiceAccountMatch& account) {
               return request.identity != nullptr && account.ns == request.identity->ns() &&
                      account.name == request.identity->service_account();
             }) &&
         // Without an identity there is no principal that a text could be compared with; the
         // namespace is then the empty one.
         use(Field::principal, match.principals,
             [&](const StringMatch& principal) {
               return request.identity != nullptr && principal.matches(request.principal());
             }) &&
         use(Field::ns, match.namespaces,
             [&](const StringMatch& ns) { return ns.matches(request.source_namespace()); });
}

}  // namespace

bool matches(const AuthorizationMatch& match, const AuthorizationRequest& request) {
  if (match.empty()) return false;
  return for_each_constraint(
      match, request, [](Field, const auto& constraint, const auto& satisfies) {
        if (!constraint.any_of.empty() && std::ranges::none_of(constraint.any_of, satisfies)) {
          return false;
        }
        return std::ranges::none_of(constraint.none_of, satisfies);
      });
}

bool matches(const AuthorizationRule& rule, const AuthorizationRequest& request) {
  return std::ranges::all_of(rule, [&](const AuthorizationClause& clause) {
    return clause.empty() || std::ranges::any_of(clause, [&](const AuthorizationMatch& match) {
             return matches(match, request);
           });
  });
}

std::optional<std::size_t> matching_rule(const AuthorizationPolicy& policy,
                                         const AuthorizationRequest& request) {
  for (std::size_t i = 0; i < policy.rules.size(); ++i) {
    if (matches(policy.rules[i], request)) return i;
  }
  return std::nullopt;
}

std::vector<FailedCondition> failed_conditions(const AuthorizationMatch& match,
                                               const AuthorizationRequest& request) {
  std::vector<FailedCondition> failed;
  for_each_constraint(
      match, request, [&](Field field, const auto& constraint, const auto& satisfies) {
        if (!constraint.any_of.empty() && std::ranges::none_of(constraint.any_of, satisfies)) {
          failed.push_back({field, false});
        }
        if (std::ranges::any_of(constraint.none_of, satisfies)) {
          failed.push_back({field, true});
        }
        return true;
      });
  return failed;
}

}  // namespace aquifer::model
