// What egress policies decide: the tables of docs/egress-policy.md, line by line.
#include "config/model/egress.h"

#include "tests/unit/config/model/fixtures.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace aquifer::model {
namespace {

using test::ip;

ServicePattern service(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return {"", "", HostPattern::parse(text).value()};
  return {std::string(text.substr(0, slash)), std::string(text.substr(slash + 1)), {}};
}
HostPattern host(std::string_view text) {
  return HostPattern::parse(text).value();
}
Cidr cidr(std::string_view text) {
  return Cidr::parse(text).value();
}

EgressRule allow(std::vector<EgressTarget> to) {
  return {EgressAction::allow, std::move(to)};
}
EgressRule deny(std::vector<EgressTarget> to) {
  return {EgressAction::deny, std::move(to)};
}
EgressTarget to_services(std::vector<ServicePattern> any, std::vector<ServicePattern> none = {}) {
  EgressTarget target;
  target.services = {std::move(any), std::move(none)};
  return target;
}
EgressTarget to_hosts(std::vector<HostPattern> any, std::vector<HostPattern> none = {}) {
  EgressTarget target;
  target.hosts = {std::move(any), std::move(none)};
  return target;
}
EgressTarget to_names(std::vector<HostPattern> any, std::vector<HostPattern> none = {}) {
  EgressTarget target;
  target.server_names = {std::move(any), std::move(none)};
  return target;
}
EgressTarget to_cidrs(std::vector<Cidr> any, std::vector<Cidr> none = {}) {
  EgressTarget target;
  target.cidrs = {std::move(any), std::move(none)};
  return target;
}
EgressTarget to_ports(std::vector<PortRange> any, std::vector<PortRange> none = {}) {
  EgressTarget target;
  target.ports = {std::move(any), std::move(none)};
  return target;
}

/// A policy of the namespace "default".
EgressPolicy policy(std::string name, EgressAction fallback, std::vector<EgressRule> rules = {}) {
  EgressPolicy result;
  result.ns = "default";
  result.name = std::move(name);
  result.selected_ns = "default";
  result.fallback = fallback;
  result.rules = std::move(rules);
  return result;
}

constexpr EgressAction kAllow = EgressAction::allow;
constexpr EgressAction kDeny = EgressAction::deny;

/// A connection of default/client; tests change what they are about.
struct Call {
  Workload source = test::pod("client", "10.0.0.1");
  SocketAddress dialled = SocketAddress::parse("203.0.113.5:443").value();
  std::optional<SocketAddress> endpoint;
  std::optional<Service> service;
  std::optional<Workload> destination;
  std::vector<HostName> hosts;
  ServerName server_name;

  Call& to(std::string_view address) {
    dialled = SocketAddress::parse(address).value();
    return *this;
  }
  Call& resolved(std::string_view name) {
    hosts.push_back(std::make_shared<const std::string>(name));
    return *this;
  }
  Call& named(std::string_view name) {
    server_name = {ServerName::State::known, name};
    return *this;
  }
  Call& unnamed() {
    server_name = {ServerName::State::absent, ""};
    return *this;
  }
  /// Through the address of default/server, to an endpoint at 10.0.0.9:8080.
  Call& to_service() {
    to("10.96.0.1:80");
    service = *test::service("10.96.0.1", {}).service;
    destination = test::pod("server", "10.0.0.9");
    endpoint = SocketAddress::parse("10.0.0.9:8080").value();
    return *this;
  }
  [[nodiscard]] EgressRequest request() const {
    EgressRequest result;
    result.source = &source;
    result.dialled = dialled;
    result.endpoint = endpoint.value_or(dialled);
    result.service = service ? &*service : nullptr;
    result.destination = destination ? &*destination : nullptr;
    result.hosts = hosts;
    result.server_name = server_name;
    return result;
  }
};

EgressBook book(std::vector<EgressPolicy> policies, EgressBook::Backing backing = {}) {
  return {std::move(policies), {}, std::move(backing)};
}

std::string told(const EgressVerdict& verdict) {
  const std::string place = place_of(verdict);
  switch (verdict.outcome) {
    case EgressOutcome::allowed: return place.empty() ? "allowed" : "allowed by " + place;
    case EgressOutcome::denied: return "denied by " + place;
    case EgressOutcome::needs_server_name: return "asks for the name: " + place;
  }
  return "";
}

std::string judged(const EgressBook& policies, const Call& call) {
  return told(judge_egress(policies, call.request()));
}

/// Is it allowed where only `target` is?
bool matches(const EgressTarget& target, const Call& call, EgressBook::Backing backing = {}) {
  const EgressBook policies = book({policy("p", kDeny, {allow({target})})}, std::move(backing));
  return judge_egress(policies, call.request()).outcome == EgressOutcome::allowed;
}

TEST_CASE("host names: exactly, below a name at any depth, or any name at all") {
  struct Row {
    std::string_view pattern;
    std::string_view name;
    bool matches;
  };
  for (const Row& row : {
           Row{"api.example.com", "api.example.com", true},
           Row{"API.Example.com.", "api.example.com", true},
           Row{"api.example.com", "API.EXAMPLE.COM", true},
           Row{"api.example.com", "www.example.com", false},
           Row{"api.example.com", "x.api.example.com", false},
           Row{"api.example.com", "api.example.com.evil.com", false},
           Row{"*.example.com", "api.example.com", true},
           Row{"*.example.com", "a.b.example.com", true},
           Row{"*.example.com", "example.com", false},
           Row{"*.example.com", ".example.com", false},
           Row{"*.example.com", "badexample.com", false},
           Row{"*.example.com", "api.example.com.evil.com", false},
           Row{"*", "anything", true},
           Row{"*", "", false},
           Row{"localhost", "localhost", true},
       }) {
    CAPTURE(row.pattern);
    CAPTURE(row.name);
    CHECK(host(row.pattern).matches(row.name) == row.matches);
  }
}

TEST_CASE("what is no host name or has its wildcard elsewhere is no pattern") {
  for (const std::string_view bad :
       {"", ".", "*com", "a.*.com", "api.*", "**.com", "a..b", "a b.com", "http://a.com",
        "a.com:443", "*.*.com", "a/b", "\xc3\xa4.com"}) {
    CAPTURE(bad);
    CHECK_FALSE(HostPattern::parse(bad).has_value());
  }
  CHECK_FALSE(HostPattern::parse(std::string(64, 'a') + ".com").has_value());
  CHECK_FALSE(HostPattern::parse(std::string(127, 'a') + "." + std::string(127, 'b')).has_value());
}

TEST_CASE("without policies, or where none selects the pod, everything is allowed") {
  CHECK(judged(EgressBook(), Call()) == "allowed");
  EgressPolicy other = policy("p", kDeny);
  other.selected_ns = "shop";
  CHECK(judged(book({other}), Call()) == "allowed");
}

TEST_CASE(
    "the order: DENY rules, then ALLOW rules, then the defaults; over all policies together") {
  const EgressTarget https = to_ports({{443, 443}});
  struct Row {
    std::vector<EgressPolicy> policies;
    std::string_view told;
  };
  const Row rows[] = {
      {{policy("a", kAllow)}, "allowed"},
      {{policy("a", kDeny)}, "denied by default/a default"},
      {{policy("a", kDeny, {allow({})})}, "allowed by default/a rules[0]"},
      {{policy("a", kDeny, {allow({https})})}, "allowed by default/a rules[0].to[0]"},
      {{policy("a", kDeny, {allow({to_ports({{80, 80}})})})}, "denied by default/a default"},
      {{policy("a", kDeny, {allow({to_ports({{80, 80}}), https})})},
       "allowed by default/a rules[0].to[1]"},
      {{policy("a", kAllow, {deny({https})})}, "denied by default/a rules[0].to[0]"},
      {{policy("a", kAllow, {deny({})})}, "denied by default/a rules[0]"},
      // DENY wins, wherever it stands.
      {{policy("a", kDeny, {allow({}), deny({https})})}, "denied by default/a rules[1].to[0]"},
      {{policy("a", kDeny, {allow({})}), policy("b", kAllow, {deny({https})})},
       "denied by default/b rules[0].to[0]"},
      // One policy's ALLOW lifts another's default.
      {{policy("a", kDeny), policy("b", kAllow, {allow({https})})},
       "allowed by default/b rules[0].to[0]"},
      // An ALLOW rule that does not match restricts nothing where nobody denies by default.
      {{policy("a", kAllow, {allow({to_ports({{80, 80}})})})}, "allowed"},
  };
  for (const Row& row : rows) CHECK(judged(book(row.policies), Call()) == row.told);
}

TEST_CASE("whom a policy selects: the mesh, a namespace, or a group of workloads") {
  EgressPolicy mesh = policy("mesh", kDeny);
  mesh.ns = "istio-system";
  mesh.selected_ns = "";
  EgressPolicy group = policy("group", kDeny);
  group.group = 3;
  WorkloadGroups groups;
  groups.set("Kubernetes//Pod/default/client",
             std::make_shared<const std::vector<GroupId>>(std::vector<GroupId>{1, 3}));
  groups.set("Kubernetes//Pod/default/other",
             std::make_shared<const std::vector<GroupId>>(std::vector<GroupId>{1}));
  Call client;
  Call other;
  other.source = test::pod("other", "10.0.0.2");
  Call foreign;
  foreign.source = test::pod("x", "10.0.0.3");
  foreign.source.ns = "shop";
  const EgressBook by_group({group}, groups, {});
  CHECK(judged(by_group, client) == "denied by default/group default");
  CHECK(judged(by_group, other) == "allowed");
  CHECK(judged(by_group, foreign) == "allowed");
  const EgressBook both({policy("ns", kDeny), mesh}, {}, {});
  CHECK(judged(both, foreign) == "denied by istio-system/mesh default");
  CHECK(both.selecting(client.source).size() == 2);
  CHECK(both.selecting(foreign.source).size() == 1);
}

TEST_CASE("every field of an entry must match; any entry of a rule may") {
  EgressTarget narrow = to_cidrs({cidr("203.0.113.0/24")});
  narrow.ports = {{{443, 443}}, {}};
  CHECK(matches(narrow, Call()));
  CHECK_FALSE(matches(narrow, Call().to("203.0.113.5:80")));
  CHECK_FALSE(matches(narrow, Call().to("198.51.100.1:443")));
}

TEST_CASE("ports compare what the pod dialled") {
  CHECK(matches(to_ports({{80, 80}, {8000, 8099}}), Call().to("203.0.113.5:8050")));
  CHECK(matches(to_ports({{8000, 8099}}), Call().to("203.0.113.5:8000")));
  CHECK(matches(to_ports({{8000, 8099}}), Call().to("203.0.113.5:8099")));
  CHECK_FALSE(matches(to_ports({{8000, 8099}}), Call().to("203.0.113.5:8100")));
  CHECK(matches(to_ports({}, {{22, 22}}), Call()));
  CHECK_FALSE(matches(to_ports({}, {{22, 22}}), Call().to("203.0.113.5:22")));
  CHECK_FALSE(matches(to_ports({{1, 65535}}, {{22, 22}}), Call().to("203.0.113.5:22")));
  CHECK(matches(to_ports({{80, 80}}), Call().to_service()));
  CHECK_FALSE(matches(to_ports({{8080, 8080}}), Call().to_service()));
}

TEST_CASE("cidrs compare the dialled address and the endpoint's; the negation wants neither") {
  CHECK(matches(to_cidrs({cidr("203.0.113.0/24")}), Call()));
  CHECK_FALSE(matches(to_cidrs({cidr("203.0.113.0/24")}, {cidr("203.0.113.5/32")}), Call()));
  CHECK(matches(to_cidrs({cidr("10.96.0.0/12")}), Call().to_service()));
  CHECK(matches(to_cidrs({cidr("10.0.0.0/24")}), Call().to_service()));
  CHECK_FALSE(matches(to_cidrs({}, {cidr("10.96.0.0/12")}), Call().to_service()));
  CHECK_FALSE(matches(to_cidrs({}, {cidr("10.0.0.0/24")}), Call().to_service()));
  CHECK(matches(to_cidrs({cidr("2001:db8::/32")}), Call().to("[2001:db8::1]:443")));
  CHECK_FALSE(matches(to_cidrs({cidr("0.0.0.0/0")}), Call().to("[2001:db8::1]:443")));
}

TEST_CASE("services by host name, by namespace and name, and by wildcard") {
  for (const std::string_view yes :
       {"server.default.svc.cluster.local", "SERVER.default.svc.cluster.local.", "default/server",
        "default/*", "*.default.svc.cluster.local", "*.svc.cluster.local", "*"}) {
    CAPTURE(yes);
    CHECK(matches(to_services({service(yes)}), Call().to_service()));
    CHECK_FALSE(matches(to_services({}, {service(yes)}), Call().to_service()));
    CHECK_FALSE(matches(to_services({service(yes)}), Call()));
    CHECK(matches(to_services({}, {service(yes)}), Call()));
  }
  for (const std::string_view no : {"db.default.svc.cluster.local", "default/db", "shop/server",
                                    "shop/*", "*.shop.svc.cluster.local"}) {
    CAPTURE(no);
    CHECK_FALSE(matches(to_services({service(no)}), Call().to_service()));
    CHECK(matches(to_services({}, {service(no)}), Call().to_service()));
  }
}

TEST_CASE("an endpoint dialled by its own address is its services, at the ports that serve them") {
  EgressBook::Backing backing;
  backing["Kubernetes//Pod/default/server"] = {
      {"default", "server", "server.default.svc.cluster.local", {8080}},
      {"default", "admin", "admin.default.svc.cluster.local", {9090}}};
  Call direct;
  direct.to("10.0.0.9:8080").destination = test::pod("server", "10.0.0.9");
  CHECK(matches(to_services({service("default/server")}), direct, backing));
  CHECK_FALSE(matches(to_services({service("default/admin")}), direct, backing));
  CHECK(matches(to_services({service("default/admin")}), direct.to("10.0.0.9:9090"), backing));
  // Through one service's address, that service alone is meant.
  CHECK_FALSE(matches(to_services({service("default/admin")}), Call().to_service(), backing));
}

TEST_CASE("an address that was resolved for two host names matches either") {
  const Call both = Call().resolved("api.example.com").resolved("www.example.org");
  CHECK(matches(to_hosts({host("api.example.com")}), both));
  CHECK(matches(to_hosts({host("*.example.org")}), both));
  CHECK_FALSE(matches(to_hosts({host("example.net")}), both));
  CHECK_FALSE(matches(to_hosts({}, {host("www.example.org")}), both));
  CHECK(matches(to_hosts({}, {host("example.net")}), both));
  const EgressBook denies = book({policy("p", kDeny,
                                         {allow({to_hosts({host("api.example.com")})}),
                                          deny({to_hosts({host("www.example.org")})})})});
  CHECK(judged(denies, both) == "denied by default/p rules[1].to[0]");
}

TEST_CASE("an address that nobody resolved has no host name, not even any") {
  CHECK_FALSE(matches(to_hosts({host("*")}), Call()));
  CHECK(matches(to_hosts({}, {host("*")}), Call()));
}

TEST_CASE("server names: known, absent, and asked for only where they can change the answer") {
  const EgressTarget name = to_names({host("api.example.com")});
  EgressTarget name443 = name;
  name443.ports = {{{443, 443}}, {}};
  struct Row {
    std::vector<EgressPolicy> policies;
    std::string_view not_looked_at;
    std::string_view right;
    std::string_view wrong;
    std::string_view absent;
  };
  constexpr std::string_view kAsks = "asks for the name: default/a rules[0].to[0]";
  constexpr std::string_view kAllowed = "allowed by default/a rules[0].to[0]";
  constexpr std::string_view kDefault = "denied by default/a default";
  constexpr std::string_view kDenied = "denied by default/a rules[0].to[0]";
  const Row rows[] = {
      {{policy("a", kDeny, {allow({name443})})}, kAsks, kAllowed, kDefault, kDefault},
      {{policy("a", kAllow, {deny({name443})})}, kAsks, kDenied, "allowed", "allowed"},
      {{policy("a", kDeny, {allow({to_names({}, {host("api.example.com")})})})},
       kAsks,
       kDefault,
       kAllowed,
       kAllowed},
      // Another rule allows it anyway.
      {{policy("a", kDeny, {allow({name443}), allow({to_ports({{443, 443}})})})},
       "allowed by default/a rules[1].to[0]",
       kAllowed,
       "allowed by default/a rules[1].to[0]",
       "allowed by default/a rules[1].to[0]"},
      // Nobody denies by default: an ALLOW rule changes nothing.
      {{policy("a", kAllow, {allow({name443})})}, "allowed", kAllowed, "allowed", "allowed"},
      // Denied anyway.
      {{policy("a", kDeny, {deny({name443})})}, kDefault, kDenied, kDefault, kDefault},
      {{policy("a", kDeny, {allow({name443})}), policy("b", kAllow, {deny({})})},
       "denied by default/b rules[0]",
       "denied by default/b rules[0]",
       "denied by default/b rules[0]",
       "denied by default/b rules[0]"},
      // Allowed by a rule, unless the name is a forbidden one.
      {{policy("a", kAllow, {deny({name})}), policy("b", kDeny, {allow({})})},
       kAsks,
       kDenied,
       "allowed by default/b rules[0]",
       "allowed by default/b rules[0]"},
  };
  for (const Row& row : rows) {
    const EgressBook policies = book(row.policies);
    CHECK(judged(policies, Call()) == row.not_looked_at);
    CHECK(judged(policies, Call().named("api.example.com")) == row.right);
    CHECK(judged(policies, Call().named("other.example.com")) == row.wrong);
    CHECK(judged(policies, Call().unnamed()) == row.absent);
  }
  // At another port the rule cannot match: server-first protocols are not kept waiting.
  CHECK(judged(book({policy("a", kAllow, {deny({name443})})}), Call().to("203.0.113.5:22")) ==
        "allowed");
  CHECK(judged(book({policy("a", kDeny, {allow({name443})})}), Call().to("203.0.113.5:22")) ==
        kDefault);
}

TEST_CASE("a policy in dry run decides nothing, and says what it would decide") {
  EgressPolicy dry = policy("dry", kDeny, {deny({to_ports({{443, 443}})})});
  dry.enforcement = Enforcement::dry_run;
  const EgressBook policies = book({dry});
  CHECK(policies.has_dry_run());
  CHECK(judged(policies, Call()) == "allowed");
  CHECK(told(judge_egress_dry_run(policies, Call().request())) ==
        "denied by default/dry rules[0].to[0]");
  CHECK(told(judge_egress_dry_run(policies, Call().to("203.0.113.5:80").request())) ==
        "denied by default/dry default");
  CHECK_FALSE(book({policy("a", kDeny)}).has_dry_run());
}

TEST_CASE("the destination is described by everything that names it, every host name among it") {
  const Call call = Call().resolved("api.example.com").resolved("www.example.org").unnamed();
  CHECK(describe_destination(call.request()) ==
        "203.0.113.5:443 (resolved from api.example.com, www.example.org; no TLS server name)");
  CHECK(describe_destination(Call().request()) == "203.0.113.5:443");
  CHECK(describe_destination(Call().to_service().named("x.com").request()) ==
        "10.96.0.1:80 (service server.default.svc.cluster.local; TLS server name x.com)");
}

TEST_CASE("a trace names every policy that selects the pod, and the nearest miss of each") {
  EgressTarget near = to_hosts({host("api.example.com")});
  near.ports = {{{8443, 8443}, {9443, 9443}}, {}};
  EgressTarget far = near;
  far.cidrs = {{cidr("10.0.0.0/8")}, {}};
  const EgressBook policies = book({policy("a", kDeny, {allow({far, near})}),
                                    policy("b", kAllow, {deny({to_ports({{443, 443}})})})});
  const EgressTrace trace = trace_egress(policies, Call().resolved("api.example.com").request());
  CHECK(told(trace.verdict) == "denied by default/b rules[0].to[0]");
  REQUIRE(trace.policies.size() == 2);
  CHECK(trace.policies[0].finding == EgressPolicyTrace::Finding::no_rule_matches);
  CHECK(trace.policies[0].nearest_miss ==
        "rules[0].to[1] would match if the port were 8443 or 9443");
  CHECK(trace.policies[1].finding == EgressPolicyTrace::Finding::denies);
  CHECK(trace.policies[1].nearest_miss == "");
}

TEST_CASE("a pod pays for the policies that select it, not for ten thousand others") {
  std::vector<EgressPolicy> policies;
  for (int i = 0; i < 10'000; ++i) {
    EgressPolicy one = policy(fmt::format("p{}", i), kDeny);
    one.selected_ns = one.ns = fmt::format("ns{}", i);
    policies.push_back(std::move(one));
  }
  policies.push_back(policy("mine", kDeny));
  CHECK(book(std::move(policies)).selecting(Call().source).size() == 1);
}

}  // namespace
}  // namespace aquifer::model
