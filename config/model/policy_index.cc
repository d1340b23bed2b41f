#include "config/model/policy_index.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace aquifer::model {
namespace {

// What a value is compared with, and how. The better half of two equally rare values comes first.
enum class KeyKind : std::uint8_t {
  principal,
  service_account,
  source_v4,
  source_v6,
  principal_suffix,
  principal_prefix,
  ns,
  ns_suffix,
  ns_prefix,
  no_identity,
  destination_port,
  destination_v4,
  destination_v6,
  identity,
  ns_presence,
};

// A value that a connection must have, hashed; `length` tells apart prefixes, suffixes and networks
// of one kind. Equal hashes of different values cost a comparison, nothing else: what is found is
// always compared in full.
struct Key {
  KeyKind kind = KeyKind::identity;
  std::uint16_t length = 0;
  std::uint64_t hash = 0;
};

// Finaliser of SplitMix64: every bit of the input changes half of the output.
constexpr std::uint64_t mixed(std::uint64_t x) {
  x ^= x >> 30U;
  x *= 0xbf58476d1ce4e5b9U;
  x ^= x >> 27U;
  x *= 0x94d049bb133111ebU;
  return x ^ (x >> 31U);
}

Key key_of(KeyKind kind, std::uint16_t length, std::uint64_t value) {
  const std::uint64_t tag = (std::uint64_t{static_cast<std::uint8_t>(kind)} << 16U) | length;
  return {kind, length, mixed(value ^ mixed(tag + 1))};
}

std::uint64_t hash_of(std::string_view text) {
  return std::hash<std::string_view>()(text);
}

Key key_of(KeyKind kind, std::string_view text) {
  return key_of(kind, 0, hash_of(text));
}

// The texts are never longer than a SPIFFE id may be (2048 bytes), which fits; a longer one in a
// policy can match nothing, and its cut length only files it with others.
std::uint16_t length_of(std::string_view text) {
  return static_cast<std::uint16_t>(std::min<std::size_t>(text.size(), 0xffff));
}

Key key_of(const ServiceAccountMatch& account) {
  return key_of(KeyKind::service_account, 0, mixed(hash_of(account.ns)) ^ hash_of(account.name));
}

Key key_of(const Cidr& block, KeyKind v4, KeyKind v6) {
  return key_of(block.address().is_v4() ? v4 : v6, block.prefix_bits(), block.address().hash());
}

struct TextKinds {
  KeyKind exact, prefix, suffix, presence;
};
constexpr TextKinds kPrincipalKinds{KeyKind::principal, KeyKind::principal_prefix,
                                    KeyKind::principal_suffix, KeyKind::identity};
constexpr TextKinds kNamespaceKinds{KeyKind::ns, KeyKind::ns_prefix, KeyKind::ns_suffix,
                                    KeyKind::ns_presence};

Key key_of(const StringMatch& match, const TextKinds& kinds) {
  switch (match.kind) {
    case StringMatch::Kind::exact: return key_of(kinds.exact, match.text);
    case StringMatch::Kind::prefix:
      return key_of(kinds.prefix, length_of(match.text), hash_of(match.text));
    case StringMatch::Kind::suffix:
      return key_of(kinds.suffix, length_of(match.text), hash_of(match.text));
    case StringMatch::Kind::presence: break;
  }
  return key_of(kinds.presence, 0, 0);
}

bool forbids_presence(const Constraint<StringMatch>& constraint) {
  return std::ranges::any_of(constraint.none_of, [](const StringMatch& match) {
    return match.kind == StringMatch::Kind::presence;
  });
}

// Calls `use(keys)` for each way to file a match: a connection that matches has one of `keys`.
template <typename Use>
void for_each_filing(const AuthorizationMatch& match, Use&& use) {
  std::vector<Key> keys;
  const auto offer = [&](const auto& values, auto&& key) {
    if (values.empty()) return;
    keys.clear();
    for (const auto& value : values) keys.push_back(key(value));
    use(std::as_const(keys));
  };
  offer(match.principals.any_of, [](const auto& v) { return key_of(v, kPrincipalKinds); });
  offer(match.service_accounts.any_of, [](const auto& v) { return key_of(v); });
  offer(match.source_ips.any_of,
        [](const auto& v) { return key_of(v, KeyKind::source_v4, KeyKind::source_v6); });
  offer(match.namespaces.any_of, [](const auto& v) { return key_of(v, kNamespaceKinds); });
  if (forbids_presence(match.principals) || forbids_presence(match.namespaces)) {
    keys.assign(1, key_of(KeyKind::no_identity, 0, 0));
    use(std::as_const(keys));
  }
  offer(match.destination_ports.any_of,
        [](std::uint16_t v) { return key_of(KeyKind::destination_port, 0, v); });
  offer(match.destination_ips.any_of,
        [](const auto& v) { return key_of(v, KeyKind::destination_v4, KeyKind::destination_v6); });
}

using Counts = std::unordered_map<std::uint64_t, std::uint32_t>;

// How many rules stand, or could stand, under these values.
std::uint64_t crowd(const std::vector<Key>& keys, const Counts& counts) {
  std::uint64_t sum = 0;
  for (const Key& key : keys) sum += counts.at(key.hash);
  return sum;
}

struct FilingChoice {
  std::vector<Key> keys;
  std::uint64_t crowd = 0;
};

// The rarest way to file a whole clause: each of its matches is filed by itself. Nothing when some
// connection could match it without any value of its own.
std::optional<FilingChoice> file_clause(const AuthorizationClause& clause, const Counts& counts) {
  if (clause.empty()) return std::nullopt;
  FilingChoice all;
  for (const AuthorizationMatch& match : clause) {
    if (match.empty()) continue;  // matches nothing, so nothing must lead to it
    std::optional<FilingChoice> best;
    for_each_filing(match, [&](const std::vector<Key>& keys) {
      const std::uint64_t here = crowd(keys, counts);
      if (!best || here < best->crowd) best = FilingChoice{keys, here};
    });
    if (!best) return std::nullopt;
    all.keys.insert(all.keys.end(), best->keys.begin(), best->keys.end());
    all.crowd += best->crowd;
  }
  return all;
}

std::optional<FilingChoice> file_rule(const AuthorizationRule& rule, const Counts& counts) {
  std::optional<FilingChoice> best;
  for (const AuthorizationClause& clause : rule) {
    auto choice = file_clause(clause, counts);
    if (choice && (!best || choice->crowd < best->crowd)) best = std::move(choice);
  }
  return best;
}

void count(const AuthorizationRule& rule, Counts& counts) {
  for (const AuthorizationClause& clause : rule) {
    for (const AuthorizationMatch& match : clause) {
      for_each_filing(match, [&](const std::vector<Key>& keys) {
        for (const Key& key : keys) ++counts[key.hash];
      });
    }
  }
}

// The value of the request that is filed under one kind and length; nothing when it has none.
std::optional<Key> key_of(const AuthorizationRequest& request, KeyKind kind, std::uint16_t length) {
  const auto text = [&](std::string_view value, bool prefix) -> std::optional<Key> {
    if (value.size() < length) return std::nullopt;
    const auto part = prefix ? value.substr(0, length) : value.substr(value.size() - length);
    return key_of(kind, length, hash_of(part));
  };
  const auto network = [&](const IpAddress& ip, bool v4) -> std::optional<Key> {
    if (ip.is_v4() != v4) return std::nullopt;
    const Cidr block(ip, static_cast<std::uint8_t>(length));
    return key_of(kind, length, block.address().hash());
  };
  const bool proven = request.identity != nullptr;
  const std::string_view ns = request.source_namespace();
  switch (kind) {
    case KeyKind::principal:
      return proven ? std::optional(key_of(kind, request.principal())) : std::nullopt;
    case KeyKind::service_account:
      if (!proven) return std::nullopt;
      return key_of(kind, 0, mixed(hash_of(ns)) ^ hash_of(request.identity->service_account()));
    case KeyKind::principal_prefix: return proven ? text(request.principal(), true) : std::nullopt;
    case KeyKind::principal_suffix: return proven ? text(request.principal(), false) : std::nullopt;
    case KeyKind::ns: return key_of(kind, ns);
    case KeyKind::ns_prefix: return text(ns, true);
    case KeyKind::ns_suffix: return text(ns, false);
    case KeyKind::source_v4: return network(request.source.ip, true);
    case KeyKind::source_v6: return network(request.source.ip, false);
    case KeyKind::destination_v4: return network(request.destination.ip, true);
    case KeyKind::destination_v6: return network(request.destination.ip, false);
    case KeyKind::destination_port: return key_of(kind, 0, request.destination.port);
    case KeyKind::no_identity: return proven ? std::nullopt : std::optional(key_of(kind, 0, 0));
    case KeyKind::identity: return proven ? std::optional(key_of(kind, 0, 0)) : std::nullopt;
    case KeyKind::ns_presence: return ns.empty() ? std::nullopt : std::optional(key_of(kind, 0, 0));
  }
  return std::nullopt;
}

bool is_named(const AuthorizationRequest& request, const std::string& key) {
  return std::ranges::binary_search(request.workload->authorization_policies, key);
}

std::vector<const AuthorizationPolicy*> select(const std::vector<AuthorizationPolicyPtr>& policies,
                                               AuthorizationAction action,
                                               Enforcement enforcement) {
  std::vector<const AuthorizationPolicy*> chosen;
  for (const AuthorizationPolicyPtr& policy : policies) {
    if (policy->action == action && policy->enforcement == enforcement) {
      chosen.push_back(policy.get());
    }
  }
  return chosen;
}

std::vector<AuthorizationPolicyPtr> sorted(std::vector<AuthorizationPolicyPtr> policies) {
  std::ranges::sort(policies, {},
                    [](const auto& policy) -> const std::string& { return policy->name; });
  return policies;
}

}  // namespace

bool concerns(const AuthorizationPolicy& policy, const Workload& workload, Considered considered) {
  return considered == Considered::all ||
         std::ranges::binary_search(workload.authorization_policies, policy.key());
}

struct RuleIndex::Filing {
  std::uint64_t hash;
  std::uint32_t rule;
  friend auto operator<=>(const Filing&, const Filing&) = default;
};

RuleIndex::RuleIndex(std::vector<const AuthorizationPolicy*> policies)
    : members_(std::move(policies)) {
  Counts counts;
  for (std::uint32_t member = 0; member < members_.size(); ++member) {
    const AuthorizationPolicy& policy = *members_[member];
    keys_.push_back(policy.key());
    for (std::uint32_t rule = 0; rule < policy.rules.size(); ++rule) {
      rules_.push_back({member, rule});
      count(policy.rules[rule], counts);
    }
  }
  std::vector<Filing> filings;
  for (std::uint32_t number = 0; number < rules_.size(); ++number) {
    const RuleRef& at = rules_[number];
    const auto choice = file_rule(members_[at.member]->rules[at.rule], counts);
    if (!choice) {
      unfiled_.push_back(number);
      continue;
    }
    for (const Key& key : choice->keys) {
      filings.push_back({key.hash, number});
      lengths_.push_back({static_cast<std::uint8_t>(key.kind), key.length});
    }
  }
  std::ranges::sort(lengths_);
  const auto repeated = std::ranges::unique(lengths_);
  lengths_.erase(repeated.begin(), repeated.end());
  build_table(filings);
}

void RuleIndex::build_table(std::vector<Filing>& filings) {
  std::ranges::sort(filings);
  const auto repeated = std::ranges::unique(filings);
  filings.erase(repeated.begin(), repeated.end());
  if (filings.empty()) return;
  // At most half full, so that a value which is not there is mostly told by one look.
  table_.resize(std::bit_ceil(filings.size() * 2));
  filed_.reserve(filings.size());
  const std::size_t mask = table_.size() - 1;
  for (std::size_t begin = 0; begin < filings.size();) {
    const std::uint64_t hash = filings[begin].hash;
    std::size_t end = begin;
    while (end < filings.size() && filings[end].hash == hash) filed_.push_back(filings[end++].rule);
    std::size_t at = hash & mask;
    while (table_[at].count != 0) at = (at + 1) & mask;
    table_[at] = {hash, static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end - begin)};
    begin = end;
  }
}

std::span<const std::uint32_t> RuleIndex::filed_under(std::uint64_t hash) const noexcept {
  const std::size_t mask = table_.size() - 1;
  for (std::size_t at = hash & mask; table_[at].count != 0; at = (at + 1) & mask) {
    const Slot& slot = table_[at];
    if (slot.hash == hash) return std::span(filed_).subspan(slot.begin, slot.count);
  }
  return {};
}

template <typename Visit>
void RuleIndex::for_each_candidates(const AuthorizationRequest& request, Visit&& visit) const {
  visit(std::span<const std::uint32_t>(unfiled_));
  for (const KindLength& at : lengths_) {
    const auto key = key_of(request, static_cast<KeyKind>(at.kind), at.length);
    if (key) visit(filed_under(key->hash));
  }
}

std::optional<RuleIndex::Hit> RuleIndex::find(const AuthorizationRequest& request,
                                              Considered considered) const {
  std::size_t best = rules_.size();
  for_each_candidates(request, [&](std::span<const std::uint32_t> candidates) {
    for (const std::uint32_t number : candidates) {
      if (number >= best) break;
      const RuleRef& at = rules_[number];
      if (!matches(members_[at.member]->rules[at.rule], request)) continue;
      if (considered == Considered::named && !is_named(request, keys_[at.member])) continue;
      best = number;
      break;
    }
  });
  if (best == rules_.size()) return std::nullopt;
  return Hit{members_[rules_[best].member], rules_[best].rule};
}

bool RuleIndex::concerns(const AuthorizationRequest& request, Considered considered) const {
  if (members_.empty() || considered == Considered::all) return !members_.empty();
  const auto& names = request.workload->authorization_policies;
  // Both lists are sorted: the shorter one is looked up in the longer.
  if (members_.size() < names.size()) {
    return std::ranges::any_of(keys_,
                               [&](const std::string& key) { return is_named(request, key); });
  }
  return std::ranges::any_of(
      names, [&](const std::string& name) { return std::ranges::binary_search(keys_, name); });
}

PolicySet::PolicySet(std::vector<AuthorizationPolicyPtr> policies)
    : policies_(sorted(std::move(policies))),
      deny_(select(policies_, AuthorizationAction::deny, Enforcement::enforced)),
      allow_(select(policies_, AuthorizationAction::allow, Enforcement::enforced)),
      dry_run_deny_(select(policies_, AuthorizationAction::deny, Enforcement::dry_run)),
      dry_run_allow_(select(policies_, AuthorizationAction::allow, Enforcement::dry_run)) {}

const RuleIndex& PolicySet::rules(AuthorizationAction action,
                                  Enforcement enforcement) const noexcept {
  if (enforcement == Enforcement::enforced) {
    return action == AuthorizationAction::deny ? deny_ : allow_;
  }
  return action == AuthorizationAction::deny ? dry_run_deny_ : dry_run_allow_;
}

AuthorizationPolicyPtr PolicySet::find(std::string_view name) const {
  const auto at = std::ranges::lower_bound(
      policies_, name, {}, [](const auto& policy) -> std::string_view { return policy->name; });
  return at != policies_.end() && (*at)->name == name ? *at : nullptr;
}

bool operator==(const PolicySet& a, const PolicySet& b) noexcept {
  return std::ranges::equal(a.policies_, b.policies_,
                            [](const AuthorizationPolicyPtr& x, const AuthorizationPolicyPtr& y) {
                              return x == y || *x == *y;
                            });
}

}  // namespace aquifer::model
