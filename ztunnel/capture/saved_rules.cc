#include "ztunnel/capture/saved_rules.h"

#include "ztunnel/capture/rules.h"

#include <algorithm>
#include <ranges>

namespace aquifer::ztunnel {

namespace {

// istio-cni and istio-init name all their chains so.
constexpr std::string_view kRivalChainPrefix = "ISTIO_";
constexpr std::string_view kAppend = "-A ";

std::string_view take_word(std::string_view& text) {
  const std::size_t begin = std::min(text.find_first_not_of(' '), text.size());
  const std::size_t end = std::min(text.find(' ', begin), text.size());
  const std::string_view word = text.substr(begin, end - begin);
  text.remove_prefix(std::min(end + 1, text.size()));
  return word;
}

// The chain that a rule jumps or goes to, or nothing.
std::string_view target_of(std::string_view rule) {
  while (!rule.empty()) {
    const std::string_view word = take_word(rule);
    if (word == "-j" || word == "-g") return take_word(rule);
  }
  return {};
}

// One option with its arguments and its negation, for comparing without regard to order.
std::vector<std::string> options_of(std::string_view rule) {
  std::vector<std::string> options;
  bool negated = false;
  while (!rule.empty()) {
    const std::string_view word = take_word(rule);
    if (word.empty()) continue;
    if (word == "-m") {
      take_word(rule);  // the options of a match imply it
    } else if (word == "!") {
      negated = true;
    } else if (word.starts_with('-')) {
      options.push_back((negated ? "! " : "") + std::string(word));
      negated = false;
    } else if (!options.empty()) {
      options.back().append(" ").append(word);
    }
  }
  std::ranges::sort(options);
  return options;
}

void read_chain(std::string_view table, std::string_view line, SavedRules& saved) {
  const std::string_view name = take_word(line);
  if (name.starts_with(kOwnChainPrefix)) {
    saved.chains.push_back({std::string(table), std::string(name), {}});
  } else if (name.starts_with(kRivalChainPrefix)) {
    saved.rivals.push_back(std::string(table).append(" ").append(name));
  }
}

void read_rule(std::string_view table, std::string_view line, SavedRules& saved) {
  const std::string_view from = take_word(line);
  if (from.starts_with(kOwnChainPrefix)) {
    const auto chain = std::ranges::find_if(
        saved.chains, [&](const SavedChain& c) { return c.table == table && c.name == from; });
    if (chain != saved.chains.end()) chain->rules.emplace_back(line);
    return;
  }
  const std::string_view to = target_of(line);
  if (to.starts_with(kOwnChainPrefix)) {
    saved.jumps.push_back(
        {std::string(table), std::string(from), std::string(to), std::string(line)});
  }
}

}  // namespace

const SavedChain* SavedRules::find(std::string_view table, std::string_view chain) const noexcept {
  const auto found = std::ranges::find_if(
      chains, [&](const SavedChain& c) { return c.table == table && c.name == chain; });
  return found == chains.end() ? nullptr : &*found;
}

SavedRules parse_saved_rules(std::string_view text) {
  SavedRules saved;
  std::string_view table;
  for (const auto piece : text | std::views::split('\n')) {
    std::string_view line(piece.begin(), piece.end());
    if (line.starts_with('*')) {
      table = line.substr(1);
    } else if (line.starts_with(':')) {
      read_chain(table, line.substr(1), saved);
    } else if (line.starts_with(kAppend)) {
      read_rule(table, line.substr(kAppend.size()), saved);
    }
  }
  return saved;
}

bool same_rule(std::string_view left, std::string_view right) {
  return left == right || options_of(left) == options_of(right);
}

}  // namespace aquifer::ztunnel
