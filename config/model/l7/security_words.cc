#include "config/model/l7/security_words.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string_view>
#include <type_traits>
#include <utility>

namespace aquifer::l7 {
namespace {

// A list in a sentence: enough to recognise it by.
constexpr std::size_t kShownValuesMax = 4;
// Of a value that a client sent.
constexpr std::size_t kShownBytesMax = 120;

template <typename Node>
constexpr bool is_group =
    std::is_same_v<Node, AllOf> || std::is_same_v<Node, AnyOf> || std::is_same_v<Node, NoneOf>;

std::string as_written(const TextPattern& pattern) {
  switch (pattern.kind) {
    case TextPattern::Kind::any: return "*";
    case TextPattern::Kind::exact: return pattern.text;
    case TextPattern::Kind::prefix: return pattern.text + "*";
    case TextPattern::Kind::suffix: return "*" + pattern.text;
    case TextPattern::Kind::contains: return "*" + pattern.text + "*";
    case TextPattern::Kind::regex: break;
  }
  return pattern.to_string();
}

std::string claim_name(const ClaimIs& want) {
  std::string name;
  for (const std::string& step : want.path) name += fmt::format("[{}]", step);
  return "claim " + name;
}

struct Namer {
  std::string operator()(const HeaderIs& want) const {
    if (want.name == ":method") return "method";
    if (want.name == ":authority") return "host";
    return "header " + want.name;
  }
  std::string operator()(const PathIs&) const { return "path"; }
  std::string operator()(const PathFits&) const { return "path"; }
  std::string operator()(const PortIs&) const { return "port"; }
  std::string operator()(const DestinationIn&) const { return "destination address"; }
  std::string operator()(const SourceIn&) const { return "source address"; }
  std::string operator()(const RemoteIn&) const { return "remote address"; }
  std::string operator()(const ServerNameIs&) const { return "server name"; }
  std::string operator()(const PrincipalIs&) const { return "principal"; }
  std::string operator()(const NamespaceIs&) const { return "source namespace"; }
  std::string operator()(const AccountIs&) const { return "service account"; }
  std::string operator()(const ClaimIs& want) const { return claim_name(want); }
  std::string operator()(const auto&) const { return {}; }
};

// What a condition is about; two of the same attribute have the same.
std::string attribute_of(const Expression& expression) {
  return std::visit(Namer{}, expression.node);
}

std::string value_of(const Expression& expression) {
  return std::visit(
      []<typename Node>(const Node& want) -> std::string {
        if constexpr (requires { want.text.kind; }) {
          return as_written(want.text);
        } else if constexpr (requires { want.network; }) {
          return want.network.to_string();
        } else if constexpr (std::is_same_v<Node, PathFits>) {
          return want.shape.text();
        } else if constexpr (std::is_same_v<Node, PortIs>) {
          return fmt::to_string(want.port);
        } else if constexpr (std::is_same_v<Node, AccountIs>) {
          return fmt::format("{}/{}", want.ns, want.name);
        } else {
          return {};
        }
      },
      expression.node);
}

std::string shown(std::string_view text) {
  if (text.empty()) return "empty";
  if (text.size() <= kShownBytesMax) return std::string(text);
  return fmt::format("{}...", text.substr(0, kShownBytesMax));
}

std::string claim_text(const Claim& claim) {
  if (claim.kind != Claim::Kind::list) return shown(claim.text);
  std::vector<std::string> parts;
  for (const Claim& part : claim.parts) parts.push_back(part.text);
  return shown(fmt::format("{}", fmt::join(parts, ", ")));
}

struct Actual {
  const SecurityQuestion& question;
  std::optional<std::string> operator()(const HeaderIs& want) const {
    std::string scratch;
    const auto value = question.header(want.name, scratch);
    return value ? std::optional(shown(*value)) : std::nullopt;
  }
  std::optional<std::string> path() const {
    if (question.request == nullptr) return std::nullopt;
    return shown(question.request->path_only());
  }
  std::optional<std::string> operator()(const PathIs&) const { return path(); }
  std::optional<std::string> operator()(const PathFits&) const { return path(); }
  std::optional<std::string> operator()(const PortIs&) const {
    return fmt::to_string(question.destination.port);
  }
  std::optional<std::string> operator()(const DestinationIn&) const {
    return question.destination.ip.to_string();
  }
  std::optional<std::string> operator()(const SourceIn&) const {
    return question.source.ip.to_string();
  }
  std::optional<std::string> operator()(const RemoteIn&) const {
    return question.remote.to_string();
  }
  std::optional<std::string> operator()(const ServerNameIs&) const {
    if (question.server_name.empty()) return std::nullopt;
    return shown(question.server_name);
  }
  std::optional<std::string> operator()(const PrincipalIs&) const {
    if (question.identity == nullptr) return std::nullopt;
    return std::string(question.identity->principal());
  }
  std::optional<std::string> operator()(const NamespaceIs&) const {
    if (question.identity == nullptr) return std::nullopt;
    return std::string(question.identity->ns());
  }
  std::optional<std::string> operator()(const AccountIs&) const {
    if (question.identity == nullptr) return std::nullopt;
    return fmt::format("{}/{}", question.identity->ns(), question.identity->service_account());
  }
  std::optional<std::string> operator()(const ClaimIs& want) const {
    const Claim* claim = question.claims != nullptr ? question.claims->find(want.path) : nullptr;
    if (claim == nullptr) return std::nullopt;
    return claim_text(*claim);
  }
  std::optional<std::string> operator()(const auto&) const { return std::nullopt; }
};

// What the question has there; none: nothing.
std::optional<std::string> actual_value(const Expression& expression,
                                        const SecurityQuestion& question) {
  return std::visit(Actual{question}, expression.node);
}

std::string values_of(const std::vector<const Expression*>& conditions) {
  std::string text;
  const std::size_t count = std::min(conditions.size(), kShownValuesMax);
  for (std::size_t i = 0; i < count; ++i) {
    if (i > 0) text += i + 1 == conditions.size() ? " or " : ", ";
    text += value_of(*conditions[i]);
  }
  if (count < conditions.size())
    text += fmt::format(" or one of {} more", conditions.size() - count);
  return text;
}

const std::vector<Expression>* parts_of(const Expression& expression) {
  return std::visit(
      []<typename Node>(const Node& node) -> const std::vector<Expression>* {
        if constexpr (is_group<Node>) return &node.parts;
        return nullptr;
      },
      expression.node);
}

// The alternative with the fewest misses.
std::optional<std::vector<Miss>> fewest(const std::vector<Expression>& parts,
                                        const SecurityQuestion& question) {
  std::optional<std::vector<Miss>> best;
  for (const Expression& part : parts) {
    auto here = misses(part, question);
    if (here && (!best || here->size() < best->size())) best = std::move(here);
  }
  return best;
}

}  // namespace

std::vector<const Expression*> alternatives(const Expression& expression) {
  std::vector<const Expression*> found;
  if (std::holds_alternative<AllOf>(expression.node)) return found;
  if (const auto* parts = parts_of(expression)) {
    for (const Expression& part : *parts) found.push_back(&part);
  } else {
    found.push_back(&expression);
  }
  const std::string attribute = found.empty() ? std::string() : attribute_of(*found.front());
  const bool same = !attribute.empty() && std::ranges::all_of(found, [&](const Expression* part) {
    return attribute_of(*part) == attribute;
  });
  if (!same) found.clear();
  return found;
}

std::optional<std::vector<Miss>> misses(const Expression& expression,
                                        const SecurityQuestion& question) {
  if (holds(expression, question)) return std::vector<Miss>{};
  const bool negated = std::holds_alternative<NoneOf>(expression.node);
  if (!alternatives(expression).empty()) return std::vector<Miss>{{&expression, negated}};
  if (const auto* all = std::get_if<AllOf>(&expression.node)) {
    std::vector<Miss> sum;
    for (const Expression& part : all->parts) {
      auto here = misses(part, question);
      if (!here) return std::nullopt;
      sum.insert(sum.end(), here->begin(), here->end());
    }
    return sum;
  }
  if (const auto* any = std::get_if<AnyOf>(&expression.node)) return fewest(any->parts, question);
  // None of several attributes, one of which is there: that one.
  const std::vector<Expression>& parts = std::get<NoneOf>(expression.node).parts;
  std::vector<Miss> sum;
  for (const Expression& part : parts) {
    if (!holds(part, question)) continue;
    if (alternatives(part).empty()) return std::nullopt;
    sum.push_back({&part, true});
  }
  return sum;
}

std::optional<std::vector<Miss>> misses(const RequestRule& rule, const SecurityQuestion& question) {
  auto sum = fewest(rule.permissions, question);
  auto principals = fewest(rule.principals, question);
  if (!sum || !principals) return std::nullopt;
  sum->insert(sum->end(), principals->begin(), principals->end());
  return sum;
}

std::string describe(const Expression& expression) {
  if (const auto same = alternatives(expression); !same.empty()) {
    const bool negated = std::holds_alternative<NoneOf>(expression.node);
    return fmt::format("{}{} {}", negated ? "not " : "", attribute_of(*same.front()),
                       values_of(same));
  }
  const auto* parts = parts_of(expression);
  if (parts == nullptr || parts->empty()) return "everything";
  std::vector<std::string> texts;
  for (const Expression& part : *parts) texts.push_back(describe(part));
  if (std::holds_alternative<AllOf>(expression.node)) {
    return fmt::format("{}", fmt::join(texts, "; "));
  }
  return fmt::format("{}({})", std::holds_alternative<NoneOf>(expression.node) ? "none of " : "",
                     fmt::join(texts, " or "));
}

std::string describe_miss(const Miss& miss, const SecurityQuestion& question) {
  const auto same = alternatives(*miss.condition);
  const std::string noun = "the " + attribute_of(*same.front());
  const std::string values = values_of(same);
  const auto actual = actual_value(*same.front(), question);
  if (!actual) return fmt::format("{} is not there, and must be {}", noun, values);
  return miss.negated ? fmt::format("{} is {}, and must not be {}", noun, *actual, values)
                      : fmt::format("{} is {}, not {}", noun, *actual, values);
}

std::string describe_wish(const Miss& miss) {
  const auto same = alternatives(*miss.condition);
  const std::string values = values_of(same);
  const std::string noun = attribute_of(*same.front());
  if (values == "*") return fmt::format("there were {} {}", miss.negated ? "no" : "a", noun);
  return fmt::format("the {} were {}{}", noun, miss.negated ? "not " : "", values);
}

std::string describe_rule(const RequestPolicy& policy, std::size_t number,
                          const SecurityQuestion& question) {
  const auto& rules = question.request != nullptr ? policy.requests : policy.connections;
  const auto rule = std::ranges::find(rules, number, &RequestRule::number);
  if (rule == rules.end()) {
    return fmt::format("rules[{}] asks for HTTP, and this connection is not HTTP", number);
  }
  const auto missing = misses(*rule, question);
  if (!missing) return fmt::format("rules[{}] can match nothing", number);
  if (!missing->empty()) {
    std::vector<std::string> texts;
    for (const Miss& miss : *missing) texts.push_back(describe_miss(miss, question));
    return fmt::format("rules[{}] does not match: {}", number, fmt::join(texts, ", and "));
  }
  std::vector<std::string> texts;
  for (const auto* list : {&rule->principals, &rule->permissions}) {
    const auto met =
        std::ranges::find_if(*list, [&](const Expression& one) { return holds(one, question); });
    std::string text = describe(*met);
    if (text != "everything") texts.push_back(std::move(text));
  }
  if (texts.empty()) return fmt::format("rules[{}] matches everything", number);
  return fmt::format("rules[{}] matches {}", number, fmt::join(texts, "; "));
}

}  // namespace aquifer::l7
