// The indexed decision against one that looks at every rule of every policy in turn, on random
// policies and questions; and the nearest miss against the decision.
#include "config/model/l7/security_miss.h"
#include "config/model/l7/security_trace.h"
#include "config/model/l7/security_words.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace aquifer::l7 {
namespace {

using model::Enforcement;

// Few values, so that policies and questions meet often.
constexpr std::array kMethods{"GET", "POST", "PUT"};
constexpr std::array kPaths{"/a", "/a/b", "/a/b/c", "/b", "/"};
constexpr std::array kHosts{"shop", "Shop:80", "bank"};
constexpr std::array kNames{"x", "y", "z"};

class Maker {
 public:
  explicit Maker(unsigned seed) : random_(seed) {}

  std::size_t below(std::size_t n) {
    return std::uniform_int_distribution<std::size_t>(0, n - 1)(random_);
  }
  bool one_in(std::size_t n) { return below(n) == 0; }
  template <typename List>
  std::string pick(const List& list) {
    return list[below(list.size())];
  }

  TextPattern pattern(std::string text) {
    TextPattern made = TextPattern::exact(std::move(text));
    switch (below(5)) {
      case 0: made.kind = TextPattern::Kind::prefix; break;
      case 1: made.kind = TextPattern::Kind::suffix; break;
      case 2:
        if (one_in(3)) made = {};
        break;
      default: break;
    }
    if (made.kind == TextPattern::Kind::prefix && made.text.size() > 1) made.text.pop_back();
    return made;
  }
  Expression permission_leaf() {
    switch (below(5)) {
      case 0: return {HeaderIs{":method", pattern(pick(kMethods))}};
      case 1: return {PathIs{pattern(pick(kPaths))}};
      case 2: return {PathFits{PathTemplate::parse(one_in(2) ? "/a/{*}" : "/{*}/b/{**}").value()}};
      case 3: {
        TextPattern host = pattern(one_in(2) ? "shop" : "bank");
        host.ignore_case = true;
        return {HeaderIs{":authority", std::move(host)}};
      }
      default: return {PortIs{static_cast<std::uint16_t>(80 + below(2))}};
    }
  }
  Expression principal_leaf() {
    switch (below(7)) {
      case 0: return {PrincipalIs{pattern("td/ns/" + pick(kNames) + "/sa/" + pick(kNames))}};
      case 1: return {NamespaceIs{pattern(pick(kNames))}};
      case 2: return {AccountIs{pick(kNames), pick(kNames)}};
      case 3:
        return {SourceIn{Cidr(IpAddress::v4({10, 0, static_cast<std::uint8_t>(below(2)), 0}), 24)}};
      case 4:
        return {RemoteIn{Cidr(IpAddress::v4({10, 0, static_cast<std::uint8_t>(below(2)), 0}), 24)}};
      case 5: return {HeaderIs{"x-team", pattern(pick(kNames))}};
      default: return {ClaimIs{{"group"}, pattern(pick(kNames))}};
    }
  }
  template <typename Leaf>
  Expression tree(Leaf&& leaf) {
    AllOf all;
    const std::size_t count = below(4);
    for (std::size_t i = 0; i < count; ++i) {
      std::vector<Expression> values;
      for (std::size_t k = 0; k <= below(3); ++k) values.push_back(leaf());
      if (one_in(4)) {
        all.parts.push_back({NoneOf{std::move(values)}});
      } else {
        all.parts.push_back({AnyOf{std::move(values)}});
      }
    }
    if (all.parts.empty()) return {Always{}};
    return {std::move(all)};
  }
  RequestPolicyPtr policy(std::size_t number) {
    auto made = std::make_shared<RequestPolicy>();
    made->ns = pick(kNames);
    made->name = "p" + std::to_string(number);
    made->action = static_cast<RequestAction>(one_in(8) ? below(2) : 2 + below(2));
    made->enforcement = one_in(4) ? Enforcement::dry_run : Enforcement::enforced;
    for (std::size_t i = 0; i <= below(2); ++i) {
      made->targets.push_back({static_cast<SecurityTarget::Kind>(below(3)), {}});
      if (made->targets.back().kind != SecurityTarget::Kind::mesh) {
        made->targets.back().name = "ns/" + pick(kNames);
      }
    }
    const std::size_t rules = below(4);
    for (std::size_t i = 0; i < rules; ++i) {
      RequestRule rule{.number = i, .permissions = {}, .principals = {}};
      for (std::size_t k = 0; k <= below(2); ++k) {
        rule.permissions.push_back(tree([&] { return permission_leaf(); }));
        rule.principals.push_back(tree([&] { return principal_leaf(); }));
      }
      if (auto left = for_connections(rule, made->action)) made->connections.push_back(*left);
      made->requests.push_back(std::move(rule));
    }
    return made;
  }

 private:
  std::mt19937 random_;
};

// A question with everything that it points into.
struct Asked {
  explicit Asked(Maker& make) {
    method = make.pick(kMethods);
    path = make.pick(kPaths);
    if (make.one_in(3)) path += "?q=/a";
    authority = make.pick(kHosts);
    if (make.one_in(2)) headers.add("X-Team", make.pick(kNames));
    if (make.one_in(6)) headers.add("x-team", make.pick(kNames));
    gateway = "ns/" + make.pick(kNames);
    service = make.one_in(4) ? "" : "ns/" + make.pick(kNames);
    if (!make.one_in(4))
      identity = SpiffeId::make("td", make.pick(kNames), make.pick(kNames)).value();
    has_identity = !identity.empty();
    if (make.one_in(2)) {
      claims.kind = Claim::Kind::object;
      Claim group{Claim::Kind::list, "group", {}, {}};
      for (std::size_t i = 0; i <= make.below(2); ++i) {
        group.parts.push_back(Claim::of_text({}, make.pick(kNames)));
      }
      claims.parts.push_back(make.one_in(2) ? Claim::of_text("group", make.pick(kNames)) : group);
    }
    source = {IpAddress::v4({10, 0, static_cast<std::uint8_t>(make.below(3)), 1}), 1};
    destination = {IpAddress::v4({10, 1, 0, 1}), static_cast<std::uint16_t>(80 + make.below(3))};
    remote = IpAddress::v4({10, 0, static_cast<std::uint8_t>(make.below(3)), 2});
    is_request = !make.one_in(4);
  }
  template <typename Use>
  void ask(Use&& use) const {
    const RequestView view{.method = method,
                           .scheme = "http",
                           .authority = authority,
                           .path = path,
                           .headers = headers,
                           .source = source,
                           .destination = destination,
                           .identity = has_identity ? &identity : nullptr};
    SecurityQuestion question;
    question.gateway = gateway;
    question.service = service;
    question.request = is_request ? &view : nullptr;
    question.source = source;
    question.destination = destination;
    question.remote = is_request ? remote : source.ip;
    question.identity = view.identity;
    question.claims = is_request && claims.kind == Claim::Kind::object ? &claims : nullptr;
    use(question);
  }
  std::string method, path, authority, gateway, service;
  HeaderFields headers;
  SpiffeId identity;
  bool has_identity = false;
  Claim claims;
  SocketAddress source, destination;
  IpAddress remote;
  bool is_request = true;
};

// Istio's order, without an index.
SecurityReason naive(const std::vector<RequestPolicyPtr>& policies,
                     const SecurityQuestion& question, bool with_trials) {
  const auto concerned = [&](const RequestPolicy& policy) {
    if (policy.dry_run() && (!with_trials || policy.action == RequestAction::custom)) return false;
    return std::ranges::any_of(policy.targets, [&](const SecurityTarget& target) {
      switch (target.kind) {
        case SecurityTarget::Kind::mesh: return true;
        case SecurityTarget::Kind::gateway: return target.name == question.gateway;
        case SecurityTarget::Kind::service: return target.name == question.service;
      }
      return false;
    });
  };
  const auto any = [&](RequestAction action, const SecurityQuestion& asked) {
    return std::ranges::any_of(policies, [&](const RequestPolicyPtr& policy) {
      const auto& rules = asked.request != nullptr ? policy->requests : policy->connections;
      return policy->action == action && concerned(*policy) &&
             std::ranges::any_of(rules,
                                 [&](const RequestRule& rule) { return matches(rule, asked); });
    });
  };
  SecurityQuestion no_token = question;
  no_token.claims = nullptr;
  if (any(RequestAction::custom, no_token)) return SecurityReason::not_asked;
  if (any(RequestAction::deny, question)) return SecurityReason::denied;
  const bool allows = std::ranges::any_of(policies, [&](const RequestPolicyPtr& policy) {
    return policy->action == RequestAction::allow && concerned(*policy);
  });
  if (!allows) return SecurityReason::no_policies;
  return any(RequestAction::allow, question) ? SecurityReason::allowed
                                             : SecurityReason::none_allowed;
}

bool passes(SecurityReason reason) {
  return reason == SecurityReason::no_policies || reason == SecurityReason::allowed;
}

TEST_CASE("the indexed decision is that of looking at every rule") {
  std::size_t refused = 0;
  std::size_t misses_said = 0;
  for (unsigned seed = 0; seed < 300; ++seed) {
    Maker make(seed);
    std::vector<RequestPolicyPtr> policies;
    const std::size_t count = make.below(8);
    for (std::size_t i = 0; i < count; ++i) policies.push_back(make.policy(i));
    const SecurityBook book(policies, {});
    for (int round = 0; round < 20; ++round) {
      CAPTURE(seed);
      CAPTURE(round);
      Asked(make).ask([&](const SecurityQuestion& question) {
        const SecurityVerdict verdict = authorize(book, question);
        CHECK(verdict.reason == naive(policies, question, false));
        CHECK(verdict.dry_run_allowed == passes(naive(policies, question, true)));
        if (verdict.policy != nullptr) {
          // The one that is named does match, and none before it does.
          const auto& rules =
              question.request != nullptr ? verdict.policy->requests : verdict.policy->connections;
          const auto rule = std::ranges::find(rules, verdict.rule, &RequestRule::number);
          REQUIRE(rule != rules.end());
          SecurityQuestion asked = question;
          if (verdict.policy->action == RequestAction::custom) asked.claims = nullptr;
          CHECK(matches(*rule, asked));
        }
        const SecurityTrace trace = trace_security(book, question);
        CHECK(trace.verdict.reason == verdict.reason);
        if (verdict.allowed()) CHECK(trace.nearest_miss.empty());
        refused += verdict.allowed() ? 0 : 1;
        misses_said += trace.nearest_miss.empty() ? 0 : 1;
      });
    }
  }
  // A property that never sees a refusal, or never finds a way out, tests nothing.
  CHECK(refused > 500);
  CHECK(misses_said > refused / 5);
}

TEST_CASE("a book equals another with the same policies, in whatever order they came") {
  Maker make(1);
  std::vector<RequestPolicyPtr> policies{make.policy(0), make.policy(1), make.policy(2)};
  const SecurityBook book(policies, {});
  std::ranges::reverse(policies);
  CHECK(book == SecurityBook(policies, {}));
  policies.pop_back();
  CHECK_FALSE(book == SecurityBook(policies, {}));
}

TEST_CASE("of a thousand policies a request looks at those of its own values") {
  std::vector<RequestPolicyPtr> policies;
  for (std::size_t i = 0; i < 1000; ++i) {
    RequestPolicy policy;
    policy.ns = "ns";
    policy.name = "p" + std::to_string(i);
    policy.targets.push_back({SecurityTarget::Kind::gateway, "ns/w"});
    policy.requests.push_back(
        {0,
         {{AllOf{{{PathIs{TextPattern::prefix("/app" + std::to_string(i) + "/")}}}}}},
         {{PrincipalIs{TextPattern::exact("td/ns/a/sa/s" + std::to_string(i % 10))}}}});
    policies.push_back(std::make_shared<const RequestPolicy>(std::move(policy)));
  }
  const SecurityBook book(policies, {});
  for (const TargetPolicies* target : book.targets_of("ns/w", "")) {
    const RuleFiling& rules = target->rules(RequestAction::allow, Enforcement::enforced, true);
    CHECK(rules.size() == 1000);
    CHECK(rules.unfiled() == 0);
  }
}

}  // namespace
}  // namespace aquifer::l7
