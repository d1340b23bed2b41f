// One rule inside another: said only when it is sure. Checked against the decision itself, too.
#include "config/manifests/lint/implies.h"

#include "config/model/authorization_match.h"

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <utility>
#include <vector>

namespace aquifer::manifests {
namespace {

using model::AuthorizationMatch;
using model::AuthorizationRule;
using model::StringMatch;
using Kind = StringMatch::Kind;

AuthorizationMatch principal(Kind kind, std::string text) {
  AuthorizationMatch match;
  match.principals.any_of.push_back({kind, std::move(text)});
  return match;
}

AuthorizationMatch port(std::uint16_t number) {
  AuthorizationMatch match;
  match.destination_ports.any_of.push_back(number);
  return match;
}

AuthorizationMatch network(const char* text) {
  AuthorizationMatch match;
  match.source_ips.any_of.push_back(Cidr::parse(text).value());
  return match;
}

AuthorizationRule rule(AuthorizationMatch match) {
  return {{std::move(match)}};
}

TEST_CASE("a narrower condition is inside a wider one") {
  const AuthorizationRule everything;
  const AuthorizationRule web = rule(principal(Kind::exact, "td/ns/shop/sa/web"));
  CHECK(implies(web, everything));
  CHECK(implies(web, web));
  CHECK(implies(web, rule(principal(Kind::prefix, "td/ns/shop/"))));
  CHECK(implies(web, rule(principal(Kind::suffix, "/web"))));
  CHECK(implies(web, rule(principal(Kind::presence, ""))));
  CHECK(implies(rule(principal(Kind::prefix, "td/ns/shop/sa/")),
                rule(principal(Kind::prefix, "td/ns/shop/"))));
  CHECK(implies(rule(network("10.1.0.0/16")), rule(network("10.0.0.0/8"))));
  CHECK(implies(AuthorizationRule{{principal(Kind::exact, "a")}, {port(80)}}, rule(port(80))));
}

TEST_CASE("a wider condition is not inside a narrower one, nor one of another kind") {
  const AuthorizationRule web = rule(principal(Kind::exact, "td/ns/shop/sa/web"));
  CHECK_FALSE(implies({}, web));
  CHECK_FALSE(implies(rule(principal(Kind::prefix, "td/ns/shop/")), web));
  CHECK_FALSE(implies(rule(principal(Kind::prefix, "x")), rule(principal(Kind::suffix, "x"))));
  CHECK_FALSE(implies(rule(network("10.0.0.0/8")), rule(network("10.1.0.0/16"))));
  CHECK_FALSE(implies(rule(network("10.0.0.0/8")), rule(network("fd00::/8"))));
  CHECK_FALSE(implies(rule(port(80)), web));
  CHECK_FALSE(implies(rule(port(80)), rule(port(81))));
}

TEST_CASE("a policy without rules matches nothing, and is never called inside another") {
  const std::vector<AuthorizationRule> none;
  const std::vector<AuthorizationRule> all{AuthorizationRule{}};
  CHECK_FALSE(implies(none, all));
  CHECK_FALSE(implies(all, none));
  CHECK(implies(all, all));
}

// Whatever is called inside must never match where the wider one does not.
TEST_CASE("what is said to be inside is inside for every connection that was tried") {
  std::mt19937 random(20260101);
  const auto pick = [&](std::size_t bound) { return static_cast<std::size_t>(random() % bound); };
  const std::vector<StringMatch> principals{
      {Kind::exact, "td/ns/a/sa/x"}, {Kind::exact, "td/ns/b/sa/x"}, {Kind::prefix, "td/ns/a/"},
      {Kind::suffix, "/x"},          {Kind::presence, ""},          {Kind::prefix, "td/"}};
  const std::vector<Cidr> networks{Cidr::parse("10.0.0.0/8").value(),
                                   Cidr::parse("10.1.0.0/16").value(),
                                   Cidr::parse("10.1.0.1").value()};
  const auto make_match = [&] {
    AuthorizationMatch match;
    const auto some = [&](auto& list, const auto& from) {
      for (std::size_t i = pick(3); i > 0; --i) list.push_back(from[pick(from.size())]);
    };
    if (pick(2) == 0) some(match.principals.any_of, principals);
    if (pick(3) == 0) some(match.principals.none_of, principals);
    if (pick(3) == 0) some(match.source_ips.any_of, networks);
    if (pick(4) == 0) some(match.source_ips.none_of, networks);
    if (pick(3) == 0) match.destination_ports.any_of.push_back(pick(2) == 0 ? 80 : 81);
    return match;
  };
  const auto make_rule = [&] {
    AuthorizationRule made;
    for (std::size_t i = pick(3); i > 0; --i) {
      model::AuthorizationClause& clause = made.emplace_back();
      for (std::size_t j = pick(3); j > 0; --j) clause.push_back(make_match());
    }
    return made;
  };
  std::vector<SpiffeId> identities;
  for (const char* text : {"spiffe://td/ns/a/sa/x", "spiffe://td/ns/a/sa/y",
                           "spiffe://td/ns/b/sa/x", "spiffe://other/ns/a/sa/x"}) {
    identities.push_back(SpiffeId::parse(text).value());
  }
  const model::Workload workload;
  std::vector<model::AuthorizationRequest> requests;
  for (const char* from : {"10.0.0.1", "10.1.0.1", "10.1.0.2", "192.0.2.1"}) {
    for (const std::uint16_t to : {80, 81}) {
      for (std::size_t i = 0; i <= identities.size(); ++i) {
        requests.push_back({.source = {IpAddress::parse(from).value(), 1},
                            .identity = i < identities.size() ? &identities[i] : nullptr,
                            .destination = {IpAddress::parse("10.9.9.9").value(), to},
                            .workload = &workload});
      }
    }
  }
  int inside = 0;
  for (int i = 0; i < 20'000; ++i) {
    const AuthorizationRule narrow = make_rule();
    const AuthorizationRule wide = make_rule();
    if (!implies(narrow, wide)) continue;
    ++inside;
    for (const model::AuthorizationRequest& request : requests) {
      if (model::matches(narrow, request)) REQUIRE(model::matches(wide, request));
    }
  }
  CHECK(inside > 500);
}

}  // namespace
}  // namespace aquifer::manifests
