#include "config/model/l7/request_policy.h"

#include <fmt/format.h>

#include <algorithm>

namespace aquifer::l7 {

std::string_view name_of(RequestAction action) noexcept {
  switch (action) {
    case RequestAction::custom: return "CUSTOM";
    case RequestAction::audit: return "AUDIT";
    case RequestAction::deny: return "DENY";
    case RequestAction::allow: return "ALLOW";
  }
  return "";
}

bool matches(const RequestRule& rule, const SecurityQuestion& question) {
  const auto is_true = [&](const Expression& expression) { return holds(expression, question); };
  return std::ranges::any_of(rule.permissions, is_true) &&
         std::ranges::any_of(rule.principals, is_true);
}

std::optional<RequestRule> for_connections(const RequestRule& rule, RequestAction action) {
  RequestRule left{.number = rule.number, .permissions = {}, .principals = {}};
  const auto strip = [&](const std::vector<Expression>& from, std::vector<Expression>& to) {
    for (const Expression& alternative : from) {
      if (action == RequestAction::allow && asks_http(alternative)) return false;
      to.push_back(without_http(alternative).value_or(Expression{Always{}}));
    }
    return true;
  };
  if (!strip(rule.permissions, left.permissions) || !strip(rule.principals, left.principals)) {
    return std::nullopt;
  }
  return left;
}

std::string RequestPolicy::key() const {
  return fmt::format("{}/{}", ns, name);
}

std::string RequestPolicy::rule_name(std::size_t number) const {
  return fmt::format("ns[{}]-policy[{}]-rule[{}]", ns, name, number);
}

}  // namespace aquifer::l7
