#include "config/model/l7/rule_filing.h"

#include "config/model/index_hash.h"

#include <algorithm>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

namespace aquifer::l7 {
namespace {

// A rule with more alternatives than this is looked at by everybody: it is hardly selective.
constexpr std::size_t kValuesOfRuleMax = 64;
// Lengths of path prefixes: each costs every request a look-up.
constexpr std::size_t kPrefixLengthsMax = 16;

// From the rarest to the most common.
enum class Value : std::uint8_t { account, principal, path, path_prefix, host, ns, port, method };

struct Key {
  Value value = Value::method;
  std::size_t length = 0;  // of a path prefix
  std::uint64_t hash = 0;
};

// What a request must have one of.
struct Keys {
  Value commonest = Value::account;
  std::vector<Key> keys;
};
using MaybeKeys = std::optional<Keys>;

std::uint64_t hash_of(Value value, std::string_view text) noexcept {
  return model::combine_hashes(model::index_hash(text), static_cast<std::uint64_t>(value));
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return result;
}

std::string account_text(std::string_view ns, std::string_view name) {
  return std::string(ns).append("/").append(name);
}

MaybeKeys one(Value value, std::string_view text, std::size_t length = 0) {
  return Keys{value, {{value, length, hash_of(value, text)}}};
}

MaybeKeys exact(Value value, const TextPattern& pattern) {
  if (pattern.kind != TextPattern::Kind::exact || pattern.ignore_case) return std::nullopt;
  return one(value, pattern.text);
}

MaybeKeys keys_of(const Expression& expression);

MaybeKeys keys_of_any(std::span<const Expression> parts) {
  Keys all;
  for (const Expression& part : parts) {
    MaybeKeys keys = keys_of(part);
    if (!keys || all.keys.size() + keys->keys.size() > kValuesOfRuleMax) return std::nullopt;
    all.commonest = std::max(all.commonest, keys->commonest);
    all.keys.insert(all.keys.end(), keys->keys.begin(), keys->keys.end());
  }
  return all;
}

MaybeKeys better(MaybeKeys a, MaybeKeys b) {
  if (!a || !b) return a ? a : b;
  const auto rank = [](const Keys& keys) { return std::tuple(keys.commonest, keys.keys.size()); };
  return rank(*b) < rank(*a) ? b : a;
}

struct Finder {
  MaybeKeys operator()(const HeaderIs& want) const {
    if (want.name == ":method") return exact(Value::method, want.text);
    if (want.name != ":authority" || want.text.kind != TextPattern::Kind::exact) return {};
    return one(Value::host, lower(want.text.text));
  }
  MaybeKeys operator()(const PathIs& want) const {
    if (want.text.ignore_case) return {};
    if (want.text.kind == TextPattern::Kind::exact) return one(Value::path, want.text.text);
    if (want.text.kind == TextPattern::Kind::prefix) return prefix(want.text.text);
    return {};
  }
  MaybeKeys operator()(const PathFits& want) const { return prefix(want.shape.prefix()); }
  MaybeKeys operator()(const PortIs& want) const {
    return one(Value::port, std::to_string(want.port));
  }
  MaybeKeys operator()(const PrincipalIs& want) const { return exact(Value::principal, want.text); }
  MaybeKeys operator()(const NamespaceIs& want) const { return exact(Value::ns, want.text); }
  MaybeKeys operator()(const AccountIs& want) const {
    return one(Value::account, account_text(want.ns, want.name));
  }
  MaybeKeys operator()(const AllOf& all) const {
    MaybeKeys best;
    for (const Expression& part : all.parts) best = better(std::move(best), keys_of(part));
    return best;
  }
  MaybeKeys operator()(const AnyOf& any) const { return keys_of_any(any.parts); }
  // What must not be, and what is compared in another way.
  MaybeKeys operator()(const auto&) const { return {}; }

  // Of "/" alone every path begins with.
  static MaybeKeys prefix(std::string_view text) {
    return text.size() < 2 ? MaybeKeys() : one(Value::path_prefix, text, text.size());
  }
};

MaybeKeys keys_of(const Expression& expression) {
  return std::visit(Finder{}, expression.node);
}

}  // namespace

bool RuleFiling::can_file_prefix(std::size_t length) const noexcept {
  return prefix_lengths_.size() < kPrefixLengthsMax ||
         std::ranges::find(prefix_lengths_, length) != prefix_lengths_.end();
}

void RuleFiling::add(const RequestPolicy& policy, const RequestRule& rule) {
  const auto number = static_cast<std::uint32_t>(rules_.size());
  rules_.push_back({&policy, &rule});
  const MaybeKeys keys = better(keys_of_any(rule.permissions), keys_of_any(rule.principals));
  const auto fits = [&](const Key& key) {
    return key.value != Value::path_prefix || can_file_prefix(key.length);
  };
  if (!keys || !std::ranges::all_of(keys->keys, fits)) return unfiled_.push_back(number);
  for (const Key& key : keys->keys) {
    Numbers& numbers = filed_[key.hash];
    if (numbers.empty() || numbers.back() != number) numbers.push_back(number);
    kinds_ |= 1U << static_cast<unsigned>(key.value);
    if (key.value == Value::path_prefix &&
        std::ranges::find(prefix_lengths_, key.length) == prefix_lengths_.end()) {
      prefix_lengths_.push_back(key.length);
    }
  }
}

void RuleFiling::look(const Numbers& numbers, const SecurityQuestion& question,
                      std::size_t& best) const {
  for (const std::uint32_t number : numbers) {
    if (number >= best) return;
    if (matches(*rules_[number].rule, question)) {
      best = number;
      return;
    }
  }
}

std::optional<RuleFiling::Hit> RuleFiling::find(const SecurityQuestion& question) const {
  constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();
  std::size_t best = kNone;
  const auto used = [&](Value value) {
    return (kinds_ & (1U << static_cast<unsigned>(value))) != 0;
  };
  const auto look_up = [&](Value value, std::string_view text) {
    const auto at = filed_.find(hash_of(value, text));
    if (at != filed_.end()) look(at->second, question, best);
  };
  if (question.identity != nullptr) {
    const SpiffeId& id = *question.identity;
    if (used(Value::principal)) look_up(Value::principal, id.principal());
    if (used(Value::ns)) look_up(Value::ns, id.ns());
    if (used(Value::account)) look_up(Value::account, account_text(id.ns(), id.service_account()));
  }
  if (question.request != nullptr) {
    const std::string_view path = question.request->path_only();
    if (used(Value::path)) look_up(Value::path, path);
    for (const std::size_t length : prefix_lengths_) {
      if (length <= path.size()) look_up(Value::path_prefix, path.substr(0, length));
    }
    if (used(Value::host)) look_up(Value::host, lower(question.request->authority));
    if (used(Value::method)) look_up(Value::method, question.request->method);
  }
  if (used(Value::port)) look_up(Value::port, std::to_string(question.destination.port));
  look(unfiled_, question, best);
  if (best == kNone) return std::nullopt;
  return rules_[best];
}

}  // namespace aquifer::l7
