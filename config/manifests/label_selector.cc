#include "config/manifests/label_selector.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace aquifer::manifests {
namespace {

using Operator = LabelRequirement::Operator;

std::optional<Operator> parse_operator(std::string_view text) {
  if (text == "In") return Operator::in;
  if (text == "NotIn") return Operator::not_in;
  if (text == "Exists") return Operator::exists;
  if (text == "DoesNotExist") return Operator::does_not_exist;
  return std::nullopt;
}

// With its length in front, no text can pretend to be two.
void append(std::string& key, std::string_view text) {
  key += fmt::format("{}:{}", text.size(), text);
}

void read_expression(Fields& fields, LabelSelector& selector) {
  LabelRequirement requirement;
  requirement.key = fields.text_or("key", "");
  if (requirement.key.empty()) fields.error("key", "missing: write the label's name");
  const std::string op = fields.text_or("operator", "");
  const auto parsed = parse_operator(op);
  if (!parsed) {
    fields.error("operator", fmt::format("\"{}\" is none: write In, NotIn, Exists or DoesNotExist",
                                         op.substr(0, 60)));
  }
  for (const TextItem& item : fields.texts("values")) requirement.values.push_back(item.text);
  std::ranges::sort(requirement.values);
  std::ignore = fields.finish_strictly();
  if (requirement.key.empty() || !parsed) return;
  requirement.op = *parsed;
  const bool takes_values = *parsed == Operator::in || *parsed == Operator::not_in;
  if (takes_values == requirement.values.empty()) {
    return fields.error("values", takes_values
                                      ? fmt::format("missing: {} needs at least one value", op)
                                      : fmt::format("{} takes none: remove them, or write In", op));
  }
  selector.match_expressions.push_back(std::move(requirement));
}

}  // namespace

bool LabelRequirement::matches(const StringMap& labels) const {
  const auto at = labels.find(key);
  const bool present = at != labels.end();
  switch (op) {
    case Operator::exists: return present;
    case Operator::does_not_exist: return !present;
    case Operator::in: return present && std::ranges::binary_search(values, at->second);
    // A label that is not there has none of the values.
    case Operator::not_in: return !present || !std::ranges::binary_search(values, at->second);
  }
  return false;
}

bool LabelSelector::matches(const StringMap& labels) const {
  const auto has = [&](const auto& wanted) {
    const auto at = labels.find(wanted.first);
    return at != labels.end() && at->second == wanted.second;
  };
  return std::ranges::all_of(match_labels, has) &&
         std::ranges::all_of(match_expressions, [&](const LabelRequirement& requirement) {
           return requirement.matches(labels);
         });
}

std::string LabelSelector::key() const {
  std::string result;
  for (const auto& [name, value] : match_labels) {
    result += '=';
    append(result, name);
    append(result, value);
  }
  for (const LabelRequirement& requirement : match_expressions) {
    result += fmt::format("?{}", static_cast<int>(requirement.op));
    append(result, requirement.key);
    for (const std::string& value : requirement.values) append(result, value);
  }
  return result;
}

LabelSelector read_label_selector(Fields& fields) {
  LabelSelector selector;
  selector.match_labels = fields.text_map("matchLabels");
  fields.each("matchExpressions", [&](Fields& item) { read_expression(item, selector); });
  return selector;
}

}  // namespace aquifer::manifests
