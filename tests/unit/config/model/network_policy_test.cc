// What NetworkPolicies decide, from the words of Kubernetes' documentation.
#include "config/model/network_policy.h"

#include "tests/unit/config/model/fixtures.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

namespace aquifer::model {
namespace {

using Outcome = NetworkVerdict::Outcome;
using Rules = std::vector<NetworkRule>;

constexpr GroupId kServers = 0;
constexpr GroupId kClients = 1;
constexpr GroupId kNobody = 2;

const Workload kServer = test::pod("server", "10.0.0.9");
const Workload kClient = test::pod("client", "10.0.0.1");
const Workload kStray = test::pod("stray", "10.0.0.2");

WorkloadGroups groups() {
  WorkloadGroups result;
  const auto list = [](std::vector<GroupId> ids) {
    return std::make_shared<const std::vector<GroupId>>(std::move(ids));
  };
  result.set(kServer.uid, list({kServers}));
  result.set(kClient.uid, list({kClients}));
  return result;
}

NetworkPort port(std::uint16_t number) {
  return {number, number, ""};
}
NetworkPort named(std::string name) {
  return {0, 0, std::move(name)};
}
NetworkPeer block(std::string_view cidr, std::vector<Cidr> except = {}) {
  return AddressBlock{Cidr::parse(cidr).value(), std::move(except)};
}
NetworkRule rule(std::optional<std::vector<NetworkPeer>> peers,
                 std::optional<std::vector<NetworkPort>> ports = std::nullopt) {
  return {std::move(peers), std::move(ports)};
}

NetworkPolicy policy(std::string name, GroupId selected, std::optional<Rules> ingress,
                     std::optional<Rules> egress = std::nullopt) {
  return {"default", std::move(name), selected, std::move(ingress), std::move(egress)};
}

NetworkPolicyBook book(std::vector<NetworkPolicy> policies) {
  NetworkPolicyBook::NamedPorts ports;
  ports[kServer.uid] = {{"http", 8080}, {"metrics", 9090}};
  return {std::move(policies), groups(), std::move(ports)};
}

NetworkRequest ingress(const Workload* peer, std::uint16_t to_port = 8080,
                       std::string_view from = "203.0.113.5") {
  NetworkRequest request;
  request.direction = NetworkDirection::ingress;
  request.local = &kServer;
  request.peer = peer;
  request.peer_address = {peer != nullptr ? peer->addresses[0] : test::ip(from), 40000};
  request.peer_kind =
      peer != nullptr ? NetworkRequest::PeerKind::workload : NetworkRequest::PeerKind::stranger;
  request.port = to_port;
  return request;
}

NetworkRequest egress(const Workload* peer, std::uint16_t to_port = 8080,
                      std::string_view to = "203.0.113.5") {
  NetworkRequest request = ingress(peer, to_port, to);
  request.direction = NetworkDirection::egress;
  request.local = &kClient;
  request.peer_address.port = to_port;
  return request;
}

bool allows(const NetworkPolicyBook& policies, const NetworkRequest& request) {
  return !judge_network_policy(policies, request).denied();
}

TEST_CASE("a pod that no policy selects is not isolated; one that a policy selects is") {
  const NetworkPolicyBook elsewhere = book({policy("p", kNobody, Rules{})});
  CHECK(judge_network_policy(elsewhere, ingress(&kClient)).outcome == Outcome::not_isolated);
  const NetworkPolicyBook here = book({policy("p", kServers, Rules{})});
  CHECK(judge_network_policy(here, ingress(&kClient)).outcome == Outcome::denied);
  CHECK(judge_network_policy(here, ingress(nullptr)).outcome == Outcome::denied);
  CHECK(judge_network_policy(NetworkPolicyBook(), ingress(nullptr)).outcome ==
        Outcome::not_isolated);
}

TEST_CASE("isolation is by direction") {
  const NetworkPolicyBook only_ingress = book({policy("p", kClients, Rules{})});
  CHECK(allows(only_ingress, egress(&kServer)));
  const NetworkPolicyBook only_egress = book({policy("p", kClients, std::nullopt, Rules{})});
  CHECK_FALSE(allows(only_egress, egress(&kServer)));
  CHECK(allows(only_egress, ingress(&kClient)));
}

TEST_CASE("policies add up: what any of them allows is allowed, and it is named") {
  const NetworkPolicyBook policies =
      book({policy("a-deny-all", kServers, Rules{}),
            policy("b-other-port", kServers, Rules{rule({{kClients}}, {{port(80)}})}),
            policy("c", kServers, Rules{rule({{kNobody}}), rule({{kClients}}, {{port(8080)}})})});
  const NetworkVerdict verdict = judge_network_policy(policies, ingress(&kClient));
  CHECK(verdict.outcome == Outcome::allowed);
  CHECK(verdict.policy->full_name() == "default/c");
  CHECK(verdict.rule == 1);
  const NetworkVerdict denied = judge_network_policy(policies, ingress(&kStray));
  CHECK(describe_denial(denied) ==
        "not allowed by any of the network policies default/a-deny-all, default/b-other-port, "
        "default/c");
}

TEST_CASE("a rule matches by peer and port together, not by either") {
  const NetworkPolicyBook policies = book({policy(
      "p", kServers, Rules{rule({{kClients}}, {{port(80)}}), rule({{kNobody}}, {{port(8080)}})})});
  CHECK(allows(policies, ingress(&kClient, 80)));
  CHECK_FALSE(allows(policies, ingress(&kClient, 8080)));
}

TEST_CASE("a list that is not there matches all; an empty list of what is left matches nothing") {
  const auto with = [](NetworkRule one) { return book({policy("p", kServers, Rules{one})}); };
  CHECK(allows(with(rule(std::nullopt)), ingress(nullptr, 1)));
  CHECK(allows(with(rule(std::nullopt)), ingress(&kStray, 65535)));
  CHECK_FALSE(allows(with(rule(std::nullopt, std::vector<NetworkPort>{})), ingress(&kClient)));
  CHECK_FALSE(allows(with(rule(std::vector<NetworkPeer>{})), ingress(&kClient)));
}

TEST_CASE("ports: a number, a range with both ends, and a name that the destination gives") {
  const auto with = [](NetworkPort one) {
    return book({policy("p", kServers, Rules{rule(std::nullopt, {{one}})}),
                 policy("q", kClients, std::nullopt, Rules{rule(std::nullopt, {{one}})})});
  };
  CHECK(allows(with({8000, 8100, ""}), ingress(&kClient, 8000)));
  CHECK(allows(with({8000, 8100, ""}), ingress(&kClient, 8100)));
  CHECK_FALSE(allows(with({8000, 8100, ""}), ingress(&kClient, 8101)));
  CHECK_FALSE(allows(with({8000, 8100, ""}), ingress(&kClient, 7999)));
  CHECK(allows(with(named("http")), ingress(&kClient, 8080)));
  CHECK_FALSE(allows(with(named("http")), ingress(&kClient, 9090)));
  CHECK(allows(with(named("metrics")), ingress(nullptr, 9090)));
  CHECK_FALSE(allows(with(named("other")), ingress(&kClient, 8080)));
  // On egress the names are the destination's, and a stranger has none.
  CHECK(allows(with(named("http")), egress(&kServer, 8080)));
  CHECK_FALSE(allows(with(named("http")), egress(&kStray, 8080)));
  CHECK_FALSE(allows(with(named("http")), egress(nullptr, 8080)));
}

TEST_CASE("a block matches strangers by address, without its exceptions, and never a pod") {
  const NetworkPolicyBook policies = book(
      {policy("p", kServers,
              Rules{rule({{block("203.0.113.0/24", {Cidr::parse("203.0.113.128/25").value()})}})}),
       policy("q", kServers, Rules{rule({{block("10.0.0.0/8")}})})});
  CHECK(allows(policies, ingress(nullptr, 8080, "203.0.113.5")));
  CHECK_FALSE(allows(policies, ingress(nullptr, 8080, "203.0.113.200")));
  CHECK_FALSE(allows(policies, ingress(nullptr, 8080, "198.51.100.1")));
  CHECK(allows(policies, ingress(nullptr, 8080, "10.1.2.3")));
  CHECK_FALSE(allows(policies, ingress(&kClient)));
}

TEST_CASE("a pod's address without that pod's identity is neither the pod nor a stranger") {
  const NetworkPolicyBook policies =
      book({policy("p", kServers, Rules{rule({{kClients}}), rule({{block("0.0.0.0/0")}})})});
  NetworkRequest spoofed = ingress(&kClient);
  CHECK(allows(policies, spoofed));
  spoofed.peer = nullptr;
  CHECK_FALSE(allows(policies, spoofed));
}

TEST_CASE("a pod always reaches itself") {
  const NetworkPolicyBook policies = book({policy("p", kServers, Rules{}, Rules{})});
  CHECK(judge_network_policy(policies, ingress(&kServer)).outcome == Outcome::itself);
}

TEST_CASE("a denial names the one policy, or the first few of many") {
  std::vector<NetworkPolicy> many;
  for (int i = 0; i < 7; ++i) many.push_back(policy(fmt::format("p{}", i), kServers, Rules{}));
  CHECK(describe_denial(judge_network_policy(book({many[0]}), ingress(&kClient))) ==
        "not allowed by the network policy default/p0");
  CHECK(describe_denial(judge_network_policy(book(many), ingress(&kClient))) ==
        "not allowed by any of the network policies default/p0, default/p1, default/p2, "
        "default/p3 and 3 more");
}

TEST_CASE("a trace says for each policy which rule allows, or what the nearest one misses") {
  const NetworkPolicyBook policies =
      book({policy("a", kServers, Rules{}),
            policy("b", kServers,
                   Rules{rule({{kNobody}}, {{port(8080)}}),
                         rule({{kClients}}, {{port(80), named("x")}})}),
            policy("c", kServers, Rules{rule(std::nullopt)})});
  const NetworkTrace trace = trace_network_policy(policies, ingress(&kClient));
  CHECK(trace.verdict.outcome == Outcome::allowed);
  REQUIRE(trace.policies.size() == 3);
  CHECK(trace.policies[0].nearest_miss == "");
  CHECK(trace.policies[1].nearest_miss == "ingress[1] would allow it if the port were 80 or \"x\"");
  CHECK(trace.policies[2].rule == 0);
  CHECK(trace_network_policy(policies, ingress(nullptr)).policies[1].nearest_miss ==
        "ingress[0] would allow it if the client were one that its `from` selects");
}

}  // namespace
}  // namespace aquifer::model
