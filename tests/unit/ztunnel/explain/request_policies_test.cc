// What `explain` says of a waypoint's policies.
#include "ztunnel/explain/request_policies.h"

#include <doctest/doctest.h>

#include <memory>
#include <utility>
#include <vector>

namespace aquifer::ztunnel {
namespace {

l7::RequestPolicyPtr policy(std::string name, l7::RequestAction action, l7::Expression permission) {
  auto made = std::make_shared<l7::RequestPolicy>();
  made->ns = "default";
  made->name = std::move(name);
  made->action = action;
  made->targets = {{l7::SecurityTarget::Kind::gateway, "default/w"}};
  made->requests.push_back({0, {std::move(permission)}, {{l7::Always{}}}});
  if (auto left = l7::for_connections(made->requests[0], action)) made->connections = {*left};
  return made;
}

Judgement judge(const std::vector<l7::RequestPolicyPtr>& policies, const HttpAttributes& http) {
  const l7::SecurityBook book(policies, {});
  const SpiffeId client = SpiffeId::make("cluster.local", "default", "client").value();
  return judge_at_waypoint(book, {.gateway = "default/w",
                                  .service = "default/shop.default.svc.cluster.local",
                                  .source = {},
                                  .destination = {IpAddress::v4({10, 96, 0, 1}), 80},
                                  .identity = &client,
                                  .server_name = {},
                                  .host = "shop",
                                  .http = http});
}

const l7::Expression kUnderAdmin{l7::PathIs{l7::TextPattern::prefix("/admin")}};

TEST_CASE("a request is judged by every policy, and the nearest miss is said") {
  HttpAttributes http;
  http.path = "/x/../admin/users";
  const std::vector policies{
      policy("a", l7::RequestAction::allow, {l7::Always{}}),
      policy("d", l7::RequestAction::deny, kUnderAdmin),
  };
  const Judgement denied = judge(policies, http);
  CHECK(denied.outcome == Outcome::denied);
  CHECK(denied.policy == "default/d");
  CHECK(denied.reason == "explicitly denied by: default/d rule 0");
  CHECK(denied.detail == "rules[0] matches path /admin*");
  CHECK(denied.nearest_miss == "would pass if the path were not /admin*");
  REQUIRE(denied.policies.size() == 2);
  CHECK(denied.policies[0].name == "default/d");
  CHECK(denied.policies[0].action == "DENY");
  http.path = "/public";
  const Judgement allowed = judge(policies, http);
  CHECK(allowed.outcome == Outcome::allowed);
  CHECK(allowed.policies[0].why == "rules[0] does not match: the path is /public, not /admin*");
  http.path = "/%00";
  CHECK(judge(policies, http).reason.starts_with("the waypoint answers 400"));
}

TEST_CASE(
    "of a connection of whose requests nothing was said, only what holds for all is decided") {
  CHECK(judge({policy("d", l7::RequestAction::deny, kUnderAdmin)}, {}).outcome ==
        Outcome::undecided);
  CHECK(judge({policy("d", l7::RequestAction::deny, {l7::PortIs{80}})}, {}).outcome ==
        Outcome::denied);
  CHECK(judge({}, {}).outcome == Outcome::not_asked);
}

TEST_CASE("Host is the authority, and other header fields are seen by conditions") {
  HttpAttributes http;
  http.headers = {{"Host", "bank"}, {"X-Team", "blue"}};
  l7::AllOf both;
  both.parts.push_back({l7::HeaderIs{":authority", l7::TextPattern::exact("bank")}});
  both.parts.push_back({l7::HeaderIs{"x-team", l7::TextPattern::exact("blue")}});
  CHECK(judge({policy("a", l7::RequestAction::allow, {both})}, http).outcome == Outcome::allowed);
}

}  // namespace
}  // namespace aquifer::ztunnel
