// Does a rule of an egress policy match a connection? The parts of the decision in egress.h, shared
// with its explanation.
#pragma once

#include "config/model/egress.h"

#include <cstddef>
#include <cstdint>
#include <span>

namespace aquifer::model {

/// Unknown: it depends on the server name, which nobody has looked at.
enum class Match : std::uint8_t { no, unknown, yes };

/// A connection and what the book knows of its destination.
struct EgressView {
  const EgressRequest& request;
  /// Empty when a service's address was dialled: that service alone is meant.
  std::span<const BackedService> backed;

  EgressView(const EgressBook& book, const EgressRequest& wanted);
};

// Each field of a target on its own. A field that is not given matches.
[[nodiscard]] Match match_services(const EgressTarget& target, const EgressView& view);
[[nodiscard]] Match match_hosts(const EgressTarget& target, const EgressView& view);
[[nodiscard]] Match match_server_name(const EgressTarget& target, const EgressView& view);
[[nodiscard]] Match match_cidrs(const EgressTarget& target, const EgressView& view);
[[nodiscard]] Match match_ports(const EgressTarget& target, const EgressView& view);

[[nodiscard]] Match match_target(const EgressTarget& target, const EgressView& view);

/// The best of the rule's targets and its place (0 when the rule has none and so matches all).
struct RuleMatch {
  Match match = Match::no;
  std::size_t target = 0;
};
[[nodiscard]] RuleMatch match_rule(const EgressRule& rule, const EgressView& view);

}  // namespace aquifer::model
