#include "ztunnel/capture/reconcile.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

namespace aquifer::ztunnel {

namespace {

const ChainPlan* planned(const RulePlan& plan, std::string_view table, std::string_view chain) {
  const auto found = std::ranges::find_if(
      plan, [&](const ChainPlan& c) { return c.table == table && c.chain == chain; });
  return found == plan.end() ? nullptr : &*found;
}

std::string jump_to(std::string_view chain) {
  return fmt::format("-j {}", chain);
}

bool is_wanted_jump(const ChainPlan& chain, const SavedJump& jump) {
  return jump.table == chain.table && jump.from == chain.builtin && jump.to == chain.chain &&
         same_rule(jump.rule, jump_to(chain.chain));
}

bool has_wanted_jump(const ChainPlan& chain, const SavedRules& saved) {
  return std::ranges::any_of(saved.jumps,
                             [&](const SavedJump& jump) { return is_wanted_jump(chain, jump); });
}

// All but the first jump where one is wanted; every one where none is.
std::vector<const SavedJump*> surplus_jumps(const RulePlan& plan, const SavedRules& saved) {
  std::vector<const SavedJump*> surplus;
  std::vector<const ChainPlan*> served;
  for (const SavedJump& jump : saved.jumps) {
    const ChainPlan* chain = planned(plan, jump.table, jump.to);
    const bool first = chain != nullptr && is_wanted_jump(*chain, jump) &&
                       std::ranges::find(served, chain) == served.end();
    if (first) {
      served.push_back(chain);
    } else {
      surplus.push_back(&jump);
    }
  }
  return surplus;
}

std::optional<std::string> chain_difference(const ChainPlan& wanted, const SavedRules& saved) {
  const SavedChain* chain = saved.find(wanted.table, wanted.chain);
  if (chain == nullptr)
    return fmt::format("chain {} of table {} is missing", wanted.chain, wanted.table);
  if (!has_wanted_jump(wanted, saved)) {
    return fmt::format("{} of table {} does not jump to {}", wanted.builtin, wanted.table,
                       wanted.chain);
  }
  if (chain->rules.size() != wanted.rules.size()) {
    return fmt::format("chain {} of table {} has {} rules in place of {}", wanted.chain,
                       wanted.table, chain->rules.size(), wanted.rules.size());
  }
  for (std::size_t i = 0; i < wanted.rules.size(); ++i) {
    if (same_rule(chain->rules[i], wanted.rules[i])) continue;
    return fmt::format("rule {} of chain {} of table {} is '{}' in place of '{}'", i + 1,
                       wanted.chain, wanted.table, chain->rules[i], wanted.rules[i]);
  }
  return std::nullopt;
}

// The part of the script between "*TABLE" and "COMMIT"; empty when the table needs no change.
std::string table_changes(std::string_view table, const RulePlan& plan, const SavedRules& saved) {
  std::string created;
  std::string filled;
  for (const ChainPlan& chain : plan) {
    if (chain.table != table || !chain_difference(chain, saved)) continue;
    // Creates the chain or empties it.
    created += fmt::format(":{} - [0:0]\n", chain.chain);
    for (const std::string& rule : chain.rules)
      filled += fmt::format("-A {} {}\n", chain.chain, rule);
    // First, so that rules of others which end the built-in chain cannot let a connection out
    // uncaptured.
    if (!has_wanted_jump(chain, saved))
      filled += fmt::format("-I {} 1 -j {}\n", chain.builtin, chain.chain);
  }
  std::string removed;
  for (const SavedJump* jump : surplus_jumps(plan, saved)) {
    if (jump->table == table) removed += fmt::format("-D {} {}\n", jump->from, jump->rule);
  }
  // All are emptied before any is deleted, for they may name one another.
  std::string deleted;
  for (const SavedChain& chain : saved.chains) {
    if (chain.table != table || planned(plan, chain.table, chain.name) != nullptr) continue;
    removed += fmt::format("-F {}\n", chain.name);
    deleted += fmt::format("-X {}\n", chain.name);
  }
  // -D before -I: with both of one rule in one chain, -D would take the new one.
  return created + removed + deleted + filled;
}

}  // namespace

std::optional<std::string> first_difference(const RulePlan& plan, const SavedRules& saved) {
  for (const ChainPlan& chain : plan) {
    if (auto difference = chain_difference(chain, saved)) return difference;
  }
  for (const SavedChain& chain : saved.chains) {
    if (planned(plan, chain.table, chain.name) == nullptr) {
      return fmt::format("chain {} of table {} should not be there", chain.name, chain.table);
    }
  }
  if (const auto surplus = surplus_jumps(plan, saved); !surplus.empty()) {
    return fmt::format("{} of table {} has a rule too many: '{}'", surplus[0]->from,
                       surplus[0]->table, surplus[0]->rule);
  }
  return std::nullopt;
}

std::string script_to_reach(const RulePlan& plan, const SavedRules& saved) {
  // Redirects begin last, after what redirected packets need, and end first.
  static constexpr std::array<std::string_view, 3> kUp = {"raw", "mangle", "nat"};
  static constexpr std::array<std::string_view, 3> kDown = {"nat", "mangle", "raw"};
  std::string script;
  for (const std::string_view table : plan.empty() ? kDown : kUp) {
    const std::string changes = table_changes(table, plan, saved);
    if (!changes.empty()) script += fmt::format("*{}\n{}COMMIT\n", table, changes);
  }
  return script;
}

}  // namespace aquifer::ztunnel
