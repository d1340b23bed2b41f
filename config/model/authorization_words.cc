#include "config/model/authorization_words.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

namespace aquifer::model {
namespace {

using Field = AuthorizationField;

// A list in a sentence: enough to recognise it by.
constexpr std::size_t kShownValuesMax = 4;

std::string text_of(const StringMatch& value) {
  return value.to_string();
}
std::string text_of(const ServiceAccountMatch& value) {
  return fmt::format("{}/{}", value.ns, value.name);
}
std::string text_of(const Cidr& value) {
  return value.to_string();
}
std::string text_of(std::uint16_t value) {
  return fmt::to_string(value);
}

template <typename T>
std::string alternatives(const std::vector<T>& values) {
  std::string text;
  const std::size_t shown = std::min(values.size(), kShownValuesMax);
  for (std::size_t i = 0; i < shown; ++i) {
    if (i > 0) text += i + 1 == values.size() ? " or " : ", ";
    text += text_of(values[i]);
  }
  if (shown < values.size()) text += fmt::format(" or one of {} more", values.size() - shown);
  return text;
}

std::string values_of(const AuthorizationMatch& match, const FailedCondition& condition) {
  const auto list = [&](const auto& constraint) {
    return alternatives(condition.negated ? constraint.none_of : constraint.any_of);
  };
  switch (condition.field) {
    case Field::destination_ip: return list(match.destination_ips);
    case Field::source_ip: return list(match.source_ips);
    case Field::destination_port: return list(match.destination_ports);
    case Field::service_account: return list(match.service_accounts);
    case Field::principal: return list(match.principals);
    case Field::ns: return list(match.namespaces);
  }
  return {};
}

std::string_view noun_of(Field field) {
  switch (field) {
    case Field::destination_ip: return "the destination address";
    case Field::source_ip: return "the source address";
    case Field::destination_port: return "the port";
    case Field::service_account: return "the service account";
    case Field::principal: return "the principal";
    case Field::ns: return "the source namespace";
  }
  return {};
}

bool is_of_identity(Field field) {
  return field == Field::service_account || field == Field::principal || field == Field::ns;
}

std::string actual_value(Field field, const AuthorizationRequest& request) {
  switch (field) {
    case Field::destination_ip: return request.destination.ip.to_string();
    case Field::source_ip: return request.source.ip.to_string();
    case Field::destination_port: return fmt::to_string(request.destination.port);
    case Field::service_account:
      return request.identity == nullptr ? std::string()
                                         : fmt::format("{}/{}", request.identity->ns(),
                                                       request.identity->service_account());
    case Field::principal: return std::string(request.principal());
    case Field::ns: return std::string(request.source_namespace());
  }
  return {};
}

const AuthorizationMatch* match_of(const AuthorizationClause& clause,
                                   const AuthorizationRequest& request) {
  const auto at = std::ranges::find_if(
      clause, [&](const AuthorizationMatch& match) { return matches(match, request); });
  return at == clause.end() ? nullptr : &*at;
}

std::string describe_failed_clause(const AuthorizationClause& clause, const std::string& name,
                                   const AuthorizationRequest& request) {
  const AuthorizationMatch* nearest = nullptr;
  std::vector<FailedCondition> fewest;
  for (const AuthorizationMatch& match : clause) {
    if (match.empty()) continue;
    auto failed = failed_conditions(match, request);
    if (nearest != nullptr && failed.size() >= fewest.size()) continue;
    nearest = &match;
    fewest = std::move(failed);
  }
  if (nearest == nullptr) return fmt::format("{} can match no connection", name);
  std::string text = fmt::format("{} does not match: ", name);
  for (std::size_t i = 0; i < fewest.size(); ++i) {
    if (i > 0) text += ", and ";
    text += describe_failure(*nearest, fewest[i], request);
  }
  return text;
}

}  // namespace

std::string describe(const AuthorizationMatch& match) {
  std::vector<std::string> parts;
  const auto add = [&](std::string_view name, const auto& constraint) {
    if (!constraint.any_of.empty()) {
      parts.push_back(fmt::format("{} {}", name, alternatives(constraint.any_of)));
    }
    if (!constraint.none_of.empty()) {
      parts.push_back(fmt::format("not {} {}", name, alternatives(constraint.none_of)));
    }
  };
  add("principals", match.principals);
  add("namespaces", match.namespaces);
  add("service accounts", match.service_accounts);
  add("source addresses", match.source_ips);
  add("destination addresses", match.destination_ips);
  add("ports", match.destination_ports);
  if (parts.empty()) return "nothing that can be checked";
  return fmt::format("{}", fmt::join(parts, "; "));
}

std::string describe_failure(const AuthorizationMatch& match, const FailedCondition& failed,
                             const AuthorizationRequest& request) {
  const std::string values = values_of(match, failed);
  if (is_of_identity(failed.field) && request.identity == nullptr) {
    return fmt::format("the client proved no identity (plaintext), and {} must be {}",
                       noun_of(failed.field), values);
  }
  const std::string actual = actual_value(failed.field, request);
  return failed.negated
             ? fmt::format("{} is {}, and must not be {}", noun_of(failed.field), actual, values)
             : fmt::format("{} is {}, not {}", noun_of(failed.field), actual, values);
}

std::string describe_wish(const AuthorizationMatch& match, const FailedCondition& failed) {
  const std::string values = values_of(match, failed);
  if (is_of_identity(failed.field) && values == "*") {
    return failed.negated ? "the client came without an identity (plaintext)"
                          : "the client proved an identity (mutual TLS)";
  }
  return fmt::format("{} were {}{}", noun_of(failed.field), failed.negated ? "not " : "", values);
}

std::string describe_rule(const AuthorizationPolicy& policy, std::size_t rule,
                          const AuthorizationRequest& request) {
  const AuthorizationRule& clauses = policy.rules[rule];
  std::vector<std::string> matched;
  for (std::size_t i = 0; i < clauses.size(); ++i) {
    const std::string name = clause_name(policy, rule, i);
    if (clauses[i].empty()) continue;
    const AuthorizationMatch* match = match_of(clauses[i], request);
    if (match == nullptr) return describe_failed_clause(clauses[i], name, request);
    matched.push_back(fmt::format("{} matches {}", name, describe(*match)));
  }
  if (matched.empty()) return fmt::format("rules[{}] matches every connection", rule);
  return fmt::format("{}", fmt::join(matched, ", "));
}

}  // namespace aquifer::model
