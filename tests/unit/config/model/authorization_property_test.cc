// Random policies and connections: the indexed decision, the trace and the nearest miss against a
// second evaluator that shares no code with them.
#include "config/model/authorization_trace.h"
#include "tests/unit/config/model/naive_authorization.h"
#include "tests/unit/config/model/policy_text.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

namespace aquifer::model {
namespace {

using namespace test;

// Small alphabets, so that matches, near misses and equal values are all frequent.
class Dice {
 public:
  explicit Dice(std::uint32_t seed) : random_(seed) {}

  std::size_t below(std::size_t limit) { return random_() % limit; }
  bool chance(int percent) { return below(100) < static_cast<std::size_t>(percent); }
  template <typename T>
  const T& one_of(const std::vector<T>& values) {
    return values[below(values.size())];
  }

 private:
  std::mt19937 random_;
};

const std::vector<std::string> kTexts{"",
                                      "a",
                                      "ab",
                                      "b",
                                      "shop",
                                      "cluster.local/ns/a/sa/a",
                                      "cluster.local/ns/",
                                      "/sa/a",
                                      "cluster.local/ns/ab/sa/b"};
const std::vector<std::string> kNames{"a", "ab", "b"};
const std::vector<std::string> kAddresses{"10.0.0.1", "10.0.0.2", "10.0.1.1", "10.1.0.1",
                                          "fd00::1",  "fd00::2",  "fd00:1::1"};
const std::vector<std::string> kNetworks{"10.0.0.1",  "10.0.0.0/31", "10.0.0.0/24", "10.0.0.0/8",
                                         "0.0.0.0/0", "fd00::1",     "fd00::/127",  "fd00::/16",
                                         "::/0",      "10.1.0.0/16"};
const std::vector<std::string> kPorts{"80", "81", "8080"};

StringMatch random_text(Dice& dice) {
  using enum StringMatch::Kind;
  const auto kind = dice.one_of(std::vector{exact, exact, prefix, suffix, presence});
  return {kind, kind == presence ? "" : dice.one_of(kTexts)};
}

template <typename Constraint, typename Make>
void fill(Dice& dice, Constraint& constraint, Make&& make) {
  if (!dice.chance(25)) return;
  const auto some = [&](auto& list, int percent) {
    if (!dice.chance(percent)) return;
    for (std::size_t i = 0; i < 1 + dice.below(3); ++i) list.push_back(make());
  };
  some(constraint.any_of, 70);
  some(constraint.none_of, 40);
}

AuthorizationMatch random_match(Dice& dice) {
  AuthorizationMatch match;
  if (dice.chance(5)) return match;
  const auto text = [&] { return random_text(dice); };
  const auto network = [&] { return Cidr::parse(dice.one_of(kNetworks)).value(); };
  fill(dice, match.principals, text);
  fill(dice, match.namespaces, text);
  fill(dice, match.service_accounts,
       [&] { return ServiceAccountMatch{dice.one_of(kNames), dice.one_of(kNames)}; });
  fill(dice, match.source_ips, network);
  fill(dice, match.destination_ips, network);
  fill(dice, match.destination_ports, [&] { return port_of(dice.one_of(kPorts)); });
  return match;
}

AuthorizationRule random_rule(Dice& dice) {
  AuthorizationRule rule;
  if (dice.chance(3)) return rule;
  for (std::size_t clause = 0; clause < 1 + dice.below(2); ++clause) {
    rule.emplace_back();
    if (dice.chance(3)) continue;
    for (std::size_t i = 0; i < 1 + dice.below(3); ++i) {
      rule.back().push_back(random_match(dice));
    }
  }
  return rule;
}

AuthorizationPolicyPtr random_policy(Dice& dice, std::size_t number) {
  using enum AuthorizationScope;
  AuthorizationPolicy policy;
  policy.ns = dice.one_of(std::vector<std::string>{"default", "default", "other", "root"});
  policy.name = fmt::format("p{}", number);
  policy.scope = dice.one_of(std::vector{global, ns, ns, workload_selector});
  policy.action = dice.chance(50) ? AuthorizationAction::allow : AuthorizationAction::deny;
  if (dice.chance(15)) policy.enforcement = Enforcement::dry_run;
  for (std::size_t rule = 0; rule < dice.below(4); ++rule) {
    policy.rules.push_back(random_rule(dice));
  }
  return std::make_shared<const AuthorizationPolicy>(std::move(policy));
}

struct World {
  std::vector<AuthorizationPolicyPtr> policies;
  AuthorizationBook book;

  explicit World(Dice& dice) {
    const std::size_t count = dice.below(12);
    for (std::size_t i = 0; i < count; ++i) policies.push_back(random_policy(dice, i));
    book = AuthorizationBook(policies);
  }
};

std::string random_connection(Dice& dice) {
  const std::string identity =
      dice.chance(25) ? "-" : fmt::format("{}/{}", dice.one_of(kNames), dice.one_of(kNames));
  const std::string& to = dice.one_of(kAddresses);
  return fmt::format("{} {} -> {}:{}", identity, dice.one_of(kAddresses),
                     to.contains(':') ? "[" + to + "]" : to, dice.one_of(kPorts));
}

std::vector<std::string> random_selection(Dice& dice, const World& world) {
  std::vector<std::string> names;
  for (const auto& policy : world.policies) {
    if (dice.chance(40)) names.push_back(policy->key());
  }
  if (dice.chance(10)) names.push_back("default/gone");
  return names;
}

// Calls `use(world, request)` for many worlds and connections.
template <typename Use>
void for_each_random(std::uint32_t seed, int worlds, Use&& use) {
  Dice dice(seed);
  for (int i = 0; i < worlds; ++i) {
    const World world(dice);
    for (int c = 0; c < 8; ++c) {
      const std::string text = random_connection(dice);
      Connection connection(text, random_selection(dice, world));
      CAPTURE(i);
      CAPTURE(text);
      use(world, connection.get());
    }
  }
}

TEST_CASE("random policies: the indexed decision is that of the naive evaluator") {
  int allowed = 0;
  int denied = 0;
  for_each_random(1, 4000, [&](const World& world, const AuthorizationRequest& request) {
    const naive::Answer expected = naive::decide(world.policies, naive::facts_of(request));
    const AuthorizationVerdict verdict = authorize(world.book, request);
    (expected.allowed ? allowed : denied) += 1;
    REQUIRE(verdict.allowed() == expected.allowed);
    // Of those that could be named, the first by name is.
    if (expected.policies.empty()) {
      REQUIRE(verdict.policy == nullptr);
    } else {
      REQUIRE(verdict.policy != nullptr);
      REQUIRE(verdict.policy->key() == std::ranges::min(expected.policies));
    }
    for (const auto& policy : verdict.dry_run) {
      REQUIRE(std::ranges::find(expected.dry_run_matches, policy->key()) !=
              expected.dry_run_matches.end());
    }
    REQUIRE(verdict.dry_run.empty() == expected.dry_run_matches.empty());
  });
  // The worlds are worth something only while both answers are common.
  CHECK(allowed > 5000);
  CHECK(denied > 5000);
}

TEST_CASE("random policies: the answer with trials is that of the same policies enforced") {
  for_each_random(2, 1500, [](const World& world, const AuthorizationRequest& request) {
    std::vector<AuthorizationPolicyPtr> enforced;
    for (const auto& policy : world.policies) {
      AuthorizationPolicy copy = *policy;
      copy.enforcement = Enforcement::enforced;
      enforced.push_back(std::make_shared<const AuthorizationPolicy>(std::move(copy)));
    }
    REQUIRE(authorize(world.book, request).dry_run_allowed ==
            naive::decide(enforced, naive::facts_of(request)).allowed);
  });
}

TEST_CASE("random policies: the trace looks at what counts and says of each what it said") {
  for_each_random(3, 1500, [](const World& world, const AuthorizationRequest& request) {
    const naive::Facts facts = naive::facts_of(request);
    const AuthorizationTrace trace = trace_authorization(world.book, request);
    for (const PolicyTrace& one : trace.policies) {
      // Alone and enforced, as a DENY, a policy denies exactly when it matches.
      AuthorizationPolicy alone = *one.policy;
      alone.enforcement = Enforcement::enforced;
      alone.action = AuthorizationAction::deny;
      const bool matches =
          !naive::decide({std::make_shared<const AuthorizationPolicy>(alone)}, facts).allowed;
      REQUIRE(one.matched == matches);
      REQUIRE_FALSE(one.why.empty());
    }
    const bool miss = !trace.nearest_miss.empty();
    if (trace.verdict.allowed()) REQUIRE_FALSE(miss);
    if (miss) REQUIRE(trace.nearest_miss.starts_with("would pass if "));
  });
}

}  // namespace
}  // namespace aquifer::model
