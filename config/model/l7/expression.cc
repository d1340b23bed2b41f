#include "config/model/l7/expression.h"

#include <algorithm>
#include <type_traits>

namespace aquifer::l7 {
namespace {

bool holds_text(const TextPattern& pattern, std::string_view text) {
  return !text.empty() && pattern.matches(text);
}

bool check(const Always&, const SecurityQuestion&) {
  return true;
}
bool check(const HeaderIs& want, const SecurityQuestion& question) {
  std::string scratch;
  const auto value = question.header(want.name, scratch);
  return value && want.text.matches(*value);
}
bool check(const PathIs& want, const SecurityQuestion& question) {
  // A CONNECT has none.
  return question.request != nullptr && holds_text(want.text, question.request->path_only());
}
bool check(const PathFits& want, const SecurityQuestion& question) {
  return question.request != nullptr && want.shape.matches(question.request->path_only());
}
bool check(const PortIs& want, const SecurityQuestion& question) {
  return want.port == question.destination.port;
}
bool check(const DestinationIn& want, const SecurityQuestion& question) {
  return want.network.contains(question.destination.ip);
}
bool check(const SourceIn& want, const SecurityQuestion& question) {
  return want.network.contains(question.source.ip);
}
bool check(const RemoteIn& want, const SecurityQuestion& question) {
  return want.network.contains(question.remote);
}
bool check(const ServerNameIs& want, const SecurityQuestion& question) {
  return holds_text(want.text, question.server_name);
}
bool check(const PrincipalIs& want, const SecurityQuestion& question) {
  return question.identity != nullptr && holds_text(want.text, question.identity->principal());
}
bool check(const NamespaceIs& want, const SecurityQuestion& question) {
  return question.identity != nullptr && holds_text(want.text, question.identity->ns());
}
bool check(const AccountIs& want, const SecurityQuestion& question) {
  return question.identity != nullptr && question.identity->ns() == want.ns &&
         question.identity->service_account() == want.name;
}
bool check(const ClaimIs& want, const SecurityQuestion& question) {
  const Claim* claim = question.claims != nullptr ? question.claims->find(want.path) : nullptr;
  if (claim == nullptr) return false;
  const auto fits = [&](const Claim& one) {
    return one.kind == Claim::Kind::text && holds_text(want.text, one.text);
  };
  if (claim->kind == Claim::Kind::list) return std::ranges::any_of(claim->parts, fits);
  return fits(*claim);
}
bool check(const AllOf& all, const SecurityQuestion& question) {
  return std::ranges::all_of(all.parts, [&](const auto& part) { return holds(part, question); });
}
bool check(const AnyOf& any, const SecurityQuestion& question) {
  return std::ranges::any_of(any.parts, [&](const auto& part) { return holds(part, question); });
}
bool check(const NoneOf& none, const SecurityQuestion& question) {
  return std::ranges::none_of(none.parts, [&](const auto& part) { return holds(part, question); });
}

template <typename Node>
constexpr bool is_of_http = std::is_same_v<Node, HeaderIs> || std::is_same_v<Node, PathIs> ||
                            std::is_same_v<Node, PathFits> || std::is_same_v<Node, ClaimIs>;
template <typename Node>
constexpr bool is_group =
    std::is_same_v<Node, AllOf> || std::is_same_v<Node, AnyOf> || std::is_same_v<Node, NoneOf>;

}  // namespace

bool holds(const Expression& expression, const SecurityQuestion& question) {
  return std::visit([&](const auto& node) { return check(node, question); }, expression.node);
}

std::optional<Expression> without_http(const Expression& expression) {
  return std::visit(
      [&]<typename Node>(const Node& node) -> std::optional<Expression> {
        if constexpr (is_of_http<Node>) {
          return std::nullopt;
        } else if constexpr (is_group<Node>) {
          Node left;
          for (const Expression& part : node.parts) {
            if (auto kept = without_http(part)) left.parts.push_back(std::move(*kept));
          }
          if (left.parts.empty() && !node.parts.empty()) return std::nullopt;
          return Expression{std::move(left)};
        } else {
          return expression;
        }
      },
      expression.node);
}

bool asks_http(const Expression& expression) {
  return std::visit(
      []<typename Node>(const Node& node) {
        if constexpr (is_group<Node>) return std::ranges::any_of(node.parts, asks_http);
        return is_of_http<Node>;
      },
      expression.node);
}

}  // namespace aquifer::l7
