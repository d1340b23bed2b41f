#include "ztunnel/capture/rules.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <string_view>

using namespace aquifer::ztunnel;

namespace {

const ChainPlan* find(const RulePlan& plan, std::string_view table, std::string_view builtin) {
  const auto found = std::ranges::find_if(
      plan, [&](const ChainPlan& c) { return c.table == table && c.builtin == builtin; });
  return found == plan.end() ? nullptr : &*found;
}

std::vector<std::string> all_rules(const RulePlan& plan) {
  std::vector<std::string> rules;
  for (const ChainPlan& chain : plan)
    rules.insert(rules.end(), chain.rules.begin(), chain.rules.end());
  return rules;
}

int count_containing(const RulePlan& plan, std::string_view part) {
  const auto rules = all_rules(plan);
  return static_cast<int>(
      std::ranges::count_if(rules, [&](const std::string& r) { return r.contains(part); }));
}

}  // namespace

TEST_CASE("capture redirects inbound to 15006 and outbound to 15001, last in their chains") {
  const RulePlan plan = plan_rules(CapturePhase::captured, Family::ipv4, DnsCapture::off);
  const ChainPlan* inbound = find(plan, "nat", "PREROUTING");
  const ChainPlan* outbound = find(plan, "nat", "OUTPUT");
  REQUIRE(inbound != nullptr);
  REQUIRE(outbound != nullptr);
  CHECK(inbound->rules.back() ==
        "! -d 127.0.0.1/32 -p tcp -m tcp ! --dport 15008 --tcp-flags FIN,SYN,RST,ACK SYN "
        "-m mark ! --mark 0x539/0xfff -j REDIRECT --to-ports 15006");
  CHECK(outbound->rules.back() ==
        "! -d 127.0.0.1/32 -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN "
        "-m mark ! --mark 0x539/0xfff -j REDIRECT --to-ports 15001");
}

TEST_CASE(
    "every TCP redirect takes only a connection's first packet, or enrolment would reset open "
    "connections") {
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    for (const std::string& rule :
         all_rules(plan_rules(CapturePhase::captured, family, DnsCapture::on))) {
      CAPTURE(rule);
      const bool redirects_tcp = rule.contains("REDIRECT") && rule.contains("-p tcp");
      CHECK(redirects_tcp == rule.contains("--tcp-flags FIN,SYN,RST,ACK SYN"));
    }
  }
}

TEST_CASE(
    "every redirect leaves the proxy's own sockets alone, or its connections would come back to "
    "it") {
  for (const std::string& rule :
       all_rules(plan_rules(CapturePhase::captured, Family::ipv4, DnsCapture::on))) {
    CAPTURE(rule);
    if (rule.contains("REDIRECT")) CHECK(rule.contains("-m mark ! --mark 0x539/0xfff"));
  }
}

TEST_CASE("rules know the proxy's sockets by the mark it was told to use, and by no other") {
  const RulePlan plan = plan_rules(CapturePhase::captured, Family::ipv4, DnsCapture::on, 0x77);
  CHECK(count_containing(plan, "0x539") == 0);
  for (const std::string& rule : all_rules(plan)) {
    CAPTURE(rule);
    if (rule.contains("REDIRECT")) CHECK(rule.contains("-m mark ! --mark 0x77/0xfff"));
  }
  const ChainPlan* way_in = find(plan, "mangle", "PREROUTING");
  REQUIRE(way_in != nullptr);
  CHECK(way_in->rules.front().starts_with("-m mark --mark 0x77/0xfff -j CONNMARK"));
}

TEST_CASE(
    "what is not captured is left to other parties' rules: nothing is accepted or dropped by us") {
  for (const DnsCapture dns : {DnsCapture::off, DnsCapture::on}) {
    const RulePlan plan = plan_rules(CapturePhase::captured, Family::ipv4, dns);
    CHECK(count_containing(plan, "-j ACCEPT") == 0);
    CHECK(count_containing(plan, "-j DROP") == 0);
    CHECK(count_containing(plan, "-j REJECT") == 0);
  }
}

TEST_CASE("IPv6 has the same chains and as many rules as IPv4, in its own addresses") {
  const RulePlan v4 = plan_rules(CapturePhase::captured, Family::ipv4, DnsCapture::on);
  const RulePlan v6 = plan_rules(CapturePhase::captured, Family::ipv6, DnsCapture::on);
  REQUIRE(v4.size() == v6.size());
  for (std::size_t i = 0; i < v4.size(); ++i) {
    CHECK(v4[i].table == v6[i].table);
    CHECK(v4[i].builtin == v6[i].builtin);
    CHECK(v4[i].rules.size() == v6[i].rules.size());
  }
  CHECK(count_containing(v6, "127.0.0.1") == 0);
  CHECK(count_containing(v6, "169.254.7.127") == 0);
  CHECK(count_containing(v6, "! -d ::1/128") == 4);
  CHECK(count_containing(v6, "fd16:9254:7127:1337:ffff:ffff:ffff:ffff/128") == 2);
}

TEST_CASE("DNS is redirected only when asked for") {
  const RulePlan off = plan_rules(CapturePhase::captured, Family::ipv4, DnsCapture::off);
  const RulePlan on = plan_rules(CapturePhase::captured, Family::ipv4, DnsCapture::on);
  CHECK(count_containing(off, "15053") == 0);
  CHECK(count_containing(off, "udp") == 0);
  CHECK(find(off, "raw", "OUTPUT") == nullptr);
  CHECK(count_containing(on, "--to-ports 15053") == 2);
  const RulePlan moved =
      plan_rules(CapturePhase::captured, Family::ipv4, DnsCapture::on, kProxyMark, 5354);
  CHECK(count_containing(moved, "--to-ports 5354") == 2);
  CHECK(count_containing(moved, "15053") == 0);
  CHECK(find(on, "raw", "OUTPUT") != nullptr);
  CHECK(find(on, "raw", "PREROUTING") != nullptr);
}

TEST_CASE(
    "draining redirects nothing, yet keeps a NAT chain, connection tracking and the return path in "
    "use") {
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    const RulePlan plan = plan_rules(CapturePhase::draining, family, DnsCapture::on);
    CHECK(count_containing(plan, "REDIRECT") == 0);
    REQUIRE(find(plan, "nat", "OUTPUT") != nullptr);
    CHECK(find(plan, "nat", "OUTPUT")->rules ==
          std::vector<std::string>{"-m conntrack --ctstate ESTABLISHED -j RETURN"});
    CHECK(count_containing(plan, "CONNMARK --restore-mark") == 1);
    CHECK(count_containing(plan, "CONNMARK --set-xmark 0x111/0xfff") == 1);
  }
}

TEST_CASE("absent is no rule at all") {
  CHECK(plan_rules(CapturePhase::absent, Family::ipv4, DnsCapture::on).empty());
}

TEST_CASE("chain names fit into the kernel's 28 characters and carry our prefix") {
  for (const ChainPlan& chain : plan_rules(CapturePhase::captured, Family::ipv6, DnsCapture::on)) {
    CHECK(chain.chain.size() <= 28);
    CHECK(chain.chain.starts_with(kOwnChainPrefix));
  }
}

TEST_CASE("the return path is planned before the redirects, which need it") {
  const RulePlan plan = plan_rules(CapturePhase::captured, Family::ipv4, DnsCapture::off);
  const auto position = [&](std::string_view table) {
    return std::ranges::find_if(plan, [&](const ChainPlan& c) { return c.table == table; }) -
           plan.begin();
  };
  CHECK(position("mangle") < position("nat"));
}
