#include "ztunnel/capture/reconcile.h"

#include <doctest/doctest.h>

#include <string>

using namespace aquifer::ztunnel;

namespace {

RulePlan captured() {
  return plan_rules(CapturePhase::captured, Family::ipv4, DnsCapture::off);
}
RulePlan draining() {
  return plan_rules(CapturePhase::draining, Family::ipv4, DnsCapture::off);
}

// What iptables-save would say once the plan is in place.
SavedRules saved_as(const RulePlan& plan) {
  SavedRules saved;
  for (const ChainPlan& chain : plan) {
    saved.chains.push_back({std::string(chain.table), std::string(chain.chain), chain.rules});
    saved.jumps.push_back({std::string(chain.table), std::string(chain.builtin),
                           std::string(chain.chain), "-j " + std::string(chain.chain)});
  }
  return saved;
}

int count(const std::string& text, std::string_view part) {
  int found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
    ++found;
  return found;
}

}  // namespace

TEST_CASE("an empty namespace gets every chain, every rule, and each jump before others' rules") {
  const std::string script = script_to_reach(captured(), {});
  CHECK(count(script, "*mangle\n") == 1);
  CHECK(count(script, "*nat\n") == 1);
  CHECK(count(script, "COMMIT\n") == 2);
  CHECK(count(script, ":AQUIFER_PRERT - [0:0]\n") == 2);
  CHECK(count(script, "-I OUTPUT 1 -j AQUIFER_OUTPUT\n") == 2);
  CHECK(count(script, "--to-ports 15001") == 1);
  CHECK(count(script, "-D ") == 0);
  CHECK(script.find("*mangle") < script.find("*nat"));
  CHECK(first_difference(captured(), {}) == "chain AQUIFER_PRERT of table mangle is missing");
}

TEST_CASE("where all is in place nothing is written") {
  for (const RulePlan& plan : {captured(), draining(), RulePlan{}}) {
    CHECK(script_to_reach(plan, saved_as(plan)).empty());
    CHECK(!first_difference(plan, saved_as(plan)).has_value());
  }
}

TEST_CASE("our jump may stand behind rules that somebody put before it later") {
  // Only jumps to our chains are read, so others' rules cannot even be told from none: the order
  // does not count.
  SavedRules saved = saved_as(captured());
  std::swap(saved.jumps.front(), saved.jumps.back());
  CHECK(!first_difference(captured(), saved).has_value());
}

TEST_CASE(
    "a damaged chain is rewritten within its own table, in one step, the others are left alone") {
  SavedRules saved = saved_as(captured());
  saved.chains.back().rules.pop_back();
  const std::string script = script_to_reach(captured(), saved);
  CHECK(script.starts_with("*nat\n:AQUIFER_OUTPUT - [0:0]\n-A AQUIFER_OUTPUT "));
  CHECK(count(script, "COMMIT") == 1);
  CHECK(count(script, "-I ") == 0);
  CHECK(count(script, "AQUIFER_PRERT") == 0);
  CHECK(first_difference(captured(), saved) ==
        "chain AQUIFER_OUTPUT of table nat has 3 rules in place of 4");
}

TEST_CASE("a changed rule is found and named") {
  SavedRules saved = saved_as(captured());
  saved.chains.back().rules.back() = "-p tcp -j REDIRECT --to-ports 9999";
  const auto difference = first_difference(captured(), saved);
  REQUIRE(difference.has_value());
  CHECK(difference->starts_with(
      "rule 4 of chain AQUIFER_OUTPUT of table nat is '-p tcp -j REDIRECT --to-ports 9999'"));
}

TEST_CASE("a missing jump is put back") {
  SavedRules saved = saved_as(captured());
  saved.jumps.pop_back();
  CHECK(first_difference(captured(), saved) ==
        "OUTPUT of table nat does not jump to AQUIFER_OUTPUT");
  CHECK(count(script_to_reach(captured(), saved), "-I OUTPUT 1 -j AQUIFER_OUTPUT\n") == 1);
}

TEST_CASE(
    "a second jump, a conditional one and one from a wrong place are taken out, one plain jump "
    "stays") {
  SavedRules saved = saved_as(captured());
  saved.jumps.push_back({"nat", "OUTPUT", "AQUIFER_OUTPUT", "-j AQUIFER_OUTPUT"});
  saved.jumps.push_back({"nat", "OUTPUT", "AQUIFER_OUTPUT", "-p tcp -j AQUIFER_OUTPUT"});
  saved.jumps.push_back({"nat", "INPUT", "AQUIFER_OUTPUT", "-j AQUIFER_OUTPUT"});
  CHECK(script_to_reach(captured(), saved) ==
        "*nat\n-D OUTPUT -j AQUIFER_OUTPUT\n-D OUTPUT -p tcp -j AQUIFER_OUTPUT\n-D INPUT -j "
        "AQUIFER_OUTPUT\nCOMMIT\n");
}

TEST_CASE(
    "a conditional jump alone does not count as ours and is replaced, deleted before the new one "
    "is put in") {
  SavedRules saved = saved_as(captured());
  saved.jumps.back().rule = "-p udp -j AQUIFER_OUTPUT";
  const std::string script = script_to_reach(captured(), saved);
  CHECK(script.find("-D OUTPUT -p udp -j AQUIFER_OUTPUT\n") <
        script.find("-I OUTPUT 1 -j AQUIFER_OUTPUT\n"));
}

TEST_CASE(
    "draining replaces the redirects by the keeper in one step of the nat table and leaves the "
    "return path") {
  const std::string script = script_to_reach(draining(), saved_as(captured()));
  CHECK(script ==
        "*nat\n:AQUIFER_OUTPUT - [0:0]\n-D PREROUTING -j AQUIFER_PRERT\n-F AQUIFER_PRERT\n-X "
        "AQUIFER_PRERT\n"
        "-A AQUIFER_OUTPUT -m conntrack --ctstate ESTABLISHED -j RETURN\nCOMMIT\n");
}

TEST_CASE("enrolling again while draining touches only the nat table") {
  const std::string script = script_to_reach(captured(), saved_as(draining()));
  CHECK(script.starts_with("*nat\n"));
  CHECK(count(script, "*") == 1);
  CHECK(count(script, "--to-ports 15001") == 1);
  CHECK(count(script, "-I PREROUTING 1 -j AQUIFER_PRERT\n") == 1);
  CHECK(count(script, "-I OUTPUT") == 0);
}

TEST_CASE(
    "removal ends the redirects first and deletes every chain of ours, of other versions too") {
  SavedRules saved = saved_as(captured());
  saved.chains.push_back({"nat", "AQUIFER_OLD", {"-j AQUIFER_OUTPUT"}});
  const std::string script = script_to_reach({}, saved);
  CHECK(script.find("*nat") < script.find("*mangle"));
  CHECK(count(script, "-X AQUIFER_OLD\n") == 1);
  CHECK(script.find("-F AQUIFER_OLD\n") < script.find("-X AQUIFER_OUTPUT\n"));
  CHECK(count(script, "-D ") == 4);
  CHECK(count(script, "-X ") == 5);
  CHECK(count(script, "-A ") == 0);
}

TEST_CASE("a chain of ours that the plan does not know is a difference, and goes") {
  SavedRules saved = saved_as(captured());
  saved.chains.push_back({"filter", "AQUIFER_OLD", {}});
  CHECK(first_difference(captured(), saved) ==
        "chain AQUIFER_OLD of table filter should not be there");
}
