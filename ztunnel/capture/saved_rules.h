// SavedRules: what iptables-save says about one namespace and one family, reduced to what matters
// to us: our own chains, every rule that jumps to them, and the chains of others that capture too.
// Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace aquifer::ztunnel {

/// A chain of ours as it stands.
struct SavedChain {
  std::string table;
  std::string name;
  /// Without "-A CHAIN ".
  std::vector<std::string> rules;
};

/// A rule, in a chain that is not ours, that jumps to a chain of ours.
struct SavedJump {
  std::string table;
  /// The chain it stands in.
  std::string from;
  /// The chain of ours that it names.
  std::string to;
  /// The whole rule without "-A FROM "; "-j TO" when it is unconditional.
  std::string rule;
};

struct SavedRules {
  std::vector<SavedChain> chains;
  std::vector<SavedJump> jumps;
  /// Names like "nat ISTIO_OUTPUT": rules that capture this pod for another proxy.
  std::vector<std::string> rivals;

  [[nodiscard]] const SavedChain* find(std::string_view table,
                                       std::string_view chain) const noexcept;
  [[nodiscard]] bool has_own_chains() const noexcept { return !chains.empty(); }
};

/// Reads the output of iptables-save or ip6tables-save. Lines it does not know are others' business
/// and skipped.
[[nodiscard]] SavedRules parse_saved_rules(std::string_view text);

/// True exactly when both say the same, whatever the order of their options and however matches are
/// introduced (versions of iptables differ in both).
[[nodiscard]] bool same_rule(std::string_view left, std::string_view right);

}  // namespace aquifer::ztunnel
