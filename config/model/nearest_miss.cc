#include "config/model/nearest_miss.h"

#include "config/model/authorization_words.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

namespace aquifer::model {
namespace {

using Field = AuthorizationField;

// Rules that are tried, nearest first. The first nearly always passes: it fails only where its own
// conditions contradict each other or where a DENY policy stands behind it.
constexpr std::size_t kRulesTriedMax = 16;
// Changed connections tried for one rule.
constexpr std::size_t kTrialsOfRuleMax = 64;
// Values of one list that are tried.
constexpr std::size_t kValuesMax = 4;

// A condition that would have to change, and the match it stands in.
struct Wish {
  const AuthorizationMatch* match = nullptr;
  FailedCondition condition;
};

// The values to try for each part of a connection; what stays as it is has one value.
struct Trials {
  std::vector<std::optional<SpiffeId>> identities;
  std::vector<IpAddress> sources;
  std::vector<IpAddress> destinations;
  std::vector<std::uint16_t> ports;
};

bool is_of_identity(Field field) {
  return field == Field::service_account || field == Field::principal || field == Field::ns;
}

// Makes up identities. They need not exist: they stand for all that a condition describes.
class Identities {
 public:
  Identities(const AuthorizationRequest& request, std::vector<std::optional<SpiffeId>>& out)
      : out_(out) {
    const SpiffeId& like =
        request.identity != nullptr ? *request.identity : request.workload->identity;
    trust_domain_ = like.empty() ? "cluster.local" : std::string(like.trust_domain());
    ns_ = like.empty() ? request.workload->ns : std::string(like.ns());
    account_ = like.empty() ? "default" : std::string(like.service_account());
  }

  void add_principal(const StringMatch& value) {
    const std::string& text = value.text;
    switch (value.kind) {
      case StringMatch::Kind::exact: return parse(text);
      case StringMatch::Kind::presence: return make(ns_, account_);
      case StringMatch::Kind::prefix:
        // Cut anywhere: one of these ends makes it whole.
        for (const char* end : {"", "x", "/sa/x", "sa/x", "a/x", "ns/x/sa/x", "/ns/x/sa/x"}) {
          parse(text + end);
        }
        return parse(fmt::format("{}/{}/sa/x", text, ns_));
      case StringMatch::Kind::suffix:
        for (const std::string& start :
             {std::string(), std::string("x"), trust_domain_, trust_domain_ + "/ns/",
              fmt::format("{}/ns/{}", trust_domain_, ns_),
              fmt::format("{}/ns/{}/sa/", trust_domain_, ns_)}) {
          parse(start + text);
        }
        return;
    }
  }
  void add_namespace(const StringMatch& value) {
    const bool whole = value.kind == StringMatch::Kind::exact;
    if (value.kind == StringMatch::Kind::presence) return make(ns_, account_);
    if (!value.text.empty()) make(value.text, account_);
    if (!whole) make(value.text + "x", account_);
    if (!whole) make("x" + value.text, account_);
  }
  void add_account(const ServiceAccountMatch& value) { make(value.ns, value.name); }
  // Somebody else, somebody from elsewhere, nobody.
  void add_others() {
    make(ns_, "another");
    make("another", account_);
    make("another", "another");
    out_.emplace_back(std::nullopt);
  }

 private:
  void parse(const std::string& principal) { add(SpiffeId::parse("spiffe://" + principal)); }
  void make(std::string_view ns, std::string_view account) {
    add(SpiffeId::make(trust_domain_, ns, account));
  }
  void add(Result<SpiffeId> identity) {
    if (identity) out_.emplace_back(std::move(*identity));
  }

  std::vector<std::optional<SpiffeId>>& out_;
  std::string trust_domain_;
  std::string ns_;
  std::string account_;
};

template <typename T, typename Use>
void first_few(const std::vector<T>& values, Use&& use) {
  for (std::size_t i = 0; i < std::min(values.size(), kValuesMax); ++i) use(values[i]);
}

void add_addresses(const Constraint<Cidr>& constraint, bool negated, std::vector<IpAddress>& out) {
  // The documentation networks of RFC 5737 and RFC 3849 stand for "somewhere else".
  static const std::array kElsewhere{
      IpAddress::v4({203, 0, 113, 1}), IpAddress::v4({198, 51, 100, 1}),
      IpAddress::v6({0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1})};
  if (negated) return void(out.insert(out.end(), kElsewhere.begin(), kElsewhere.end()));
  first_few(constraint.any_of, [&](const Cidr& block) { out.push_back(block.address()); });
}

void add_ports(const Constraint<std::uint16_t>& constraint, bool negated,
               std::vector<std::uint16_t>& out) {
  if (negated) return void(out.insert(out.end(), {1, 2, 65535}));
  first_few(constraint.any_of, [&](std::uint16_t port) { out.push_back(port); });
}

void add_values(const Wish& wish, Identities& identities, Trials& trials) {
  const AuthorizationMatch& match = *wish.match;
  const bool negated = wish.condition.negated;
  if (negated && is_of_identity(wish.condition.field)) return identities.add_others();
  switch (wish.condition.field) {
    case Field::principal:
      first_few(match.principals.any_of, [&](const auto& v) { identities.add_principal(v); });
      break;
    case Field::ns:
      first_few(match.namespaces.any_of, [&](const auto& v) { identities.add_namespace(v); });
      break;
    case Field::service_account:
      first_few(match.service_accounts.any_of, [&](const auto& v) { identities.add_account(v); });
      break;
    case Field::source_ip: add_addresses(match.source_ips, negated, trials.sources); break;
    case Field::destination_ip:
      add_addresses(match.destination_ips, negated, trials.destinations);
      break;
    case Field::destination_port: add_ports(match.destination_ports, negated, trials.ports); break;
  }
}

// Tries changed connections, within the effort of one search.
class Trier {
 public:
  Trier(const AuthorizationBook& book, const AuthorizationRequest& request, std::size_t trials)
      : book_(book), request_(request), left_(trials) {}

  // Does some connection that differs only in what the wishes are about pass?
  [[nodiscard]] bool some_passes(const std::vector<Wish>& wishes) {
    Trials trials;
    Identities identities(request_, trials.identities);
    bool identity_changes = false;
    for (const Wish& wish : wishes) {
      identity_changes = identity_changes || is_of_identity(wish.condition.field);
      add_values(wish, identities, trials);
    }
    if (!identity_changes) {
      trials.identities.emplace_back(
          request_.identity != nullptr ? std::optional(*request_.identity) : std::nullopt);
    }
    const auto unless_changed = [](auto& values, const auto& own) {
      if (values.empty()) values.push_back(own);
    };
    unless_changed(trials.sources, request_.source.ip);
    unless_changed(trials.destinations, request_.destination.ip);
    unless_changed(trials.ports, request_.destination.port);
    return any_allowed(trials);
  }

 private:
  [[nodiscard]] bool any_allowed(const Trials& trials) {
    std::size_t left = std::min(left_, kTrialsOfRuleMax);
    for (const auto& identity : trials.identities) {
      for (const IpAddress& source : trials.sources) {
        for (const IpAddress& destination : trials.destinations) {
          for (const std::uint16_t port : trials.ports) {
            if (left == 0) return false;
            --left;
            --left_;
            AuthorizationRequest changed = request_;
            changed.identity = identity ? &*identity : nullptr;
            changed.source.ip = source;
            changed.destination = {destination, port};
            if (authorize(book_, changed).allowed()) return true;
          }
        }
      }
    }
    return false;
  }

  const AuthorizationBook& book_;
  const AuthorizationRequest& request_;
  std::size_t left_;
};

std::string sentence(const std::vector<Wish>& wishes) {
  std::vector<std::string> parts;
  for (const Wish& wish : wishes) {
    std::string part = describe_wish(*wish.match, wish.condition);
    if (std::ranges::find(parts, part) == parts.end()) parts.push_back(std::move(part));
  }
  return fmt::format("would pass if {}", fmt::join(parts, " and "));
}

// The fewest conditions that keep a rule from matching; nothing when no connection can match it.
std::optional<std::vector<Wish>> wishes_of(const AuthorizationRule& rule,
                                           const AuthorizationRequest& request) {
  std::vector<Wish> wishes;
  for (const AuthorizationClause& clause : rule) {
    if (clause.empty()) continue;
    std::optional<std::vector<Wish>> fewest;
    for (const AuthorizationMatch& match : clause) {
      if (match.empty()) continue;
      std::vector<Wish> here;
      for (const FailedCondition& failed : failed_conditions(match, request)) {
        here.push_back({&match, failed});
      }
      if (!fewest || here.size() < fewest->size()) fewest = std::move(here);
    }
    if (!fewest) return std::nullopt;
    wishes.insert(wishes.end(), fewest->begin(), fewest->end());
  }
  return wishes;
}

std::string nearest_allow(const AuthorizationBook& book, const AuthorizationRequest& request,
                          std::size_t rules_max, Trier& trier) {
  // With the number of the rule, so that of equally near ones the first is said.
  std::vector<std::pair<std::size_t, std::vector<Wish>>> nearest;
  std::size_t seen = 0;
  book.for_each_source(*request.workload, [&](const AuthorizationBook::Source& source) {
    const RuleIndex& allow = source.set->rules(AuthorizationAction::allow, Enforcement::enforced);
    for (const AuthorizationPolicy* policy : allow.policies()) {
      if (seen >= rules_max) return;
      if (!concerns(*policy, *request.workload, source.considered)) continue;
      for (const AuthorizationRule& rule : policy->rules) {
        if (++seen > rules_max) return;
        auto wishes = wishes_of(rule, request);
        if (wishes && !wishes->empty()) nearest.emplace_back(seen, std::move(*wishes));
      }
    }
  });
  std::ranges::sort(nearest, {},
                    [](const auto& rule) { return std::pair(rule.second.size(), rule.first); });
  if (nearest.size() > kRulesTriedMax) nearest.resize(kRulesTriedMax);
  for (const auto& [number, wishes] : nearest) {
    if (trier.some_passes(wishes)) return sentence(wishes);
  }
  return {};
}

// Each condition that made a DENY rule match, turned round.
std::vector<Wish> ways_out(const AuthorizationRule& rule, const AuthorizationRequest& request,
                           std::vector<AuthorizationMatch>& turned) {
  for (const AuthorizationClause& clause : rule) {
    for (const AuthorizationMatch& match : clause) {
      if (!matches(match, request)) continue;
      const auto turn = [&](auto AuthorizationMatch::* field) {
        const auto& constraint = match.*field;
        if (!constraint.any_of.empty()) {
          turned.emplace_back();
          (turned.back().*field).none_of = constraint.any_of;
        }
        if (!constraint.none_of.empty()) {
          turned.emplace_back();
          (turned.back().*field).any_of = constraint.none_of;
        }
      };
      turn(&AuthorizationMatch::principals);
      turn(&AuthorizationMatch::service_accounts);
      turn(&AuthorizationMatch::namespaces);
      turn(&AuthorizationMatch::source_ips);
      turn(&AuthorizationMatch::destination_ports);
      turn(&AuthorizationMatch::destination_ips);
    }
  }
  std::vector<Wish> wishes;
  for (const AuthorizationMatch& match : turned) {
    for (const FailedCondition& failed : failed_conditions(match, request)) {
      wishes.push_back({&match, failed});
    }
  }
  return wishes;
}

}  // namespace

std::string nearest_miss(const AuthorizationBook& book, const AuthorizationRequest& request,
                         const AuthorizationVerdict& verdict, const MissEffort& effort) {
  if (verdict.allowed()) return {};
  Trier trier(book, request, effort.trials);
  if (verdict.reason == AuthorizationReason::denied) {
    std::vector<AuthorizationMatch> turned;
    for (const Wish& wish : ways_out(verdict.policy->rules[verdict.rule], request, turned)) {
      if (trier.some_passes({wish})) return sentence({wish});
    }
  }
  return nearest_allow(book, request, effort.rules, trier);
}

}  // namespace aquifer::model
