// From the rules a namespace holds to the rules it shall hold, as one input for iptables-restore
// --noflush. Pure.
#pragma once

#include "ztunnel/capture/rules.h"
#include "ztunnel/capture/saved_rules.h"

#include <optional>
#include <string>

namespace aquifer::ztunnel {

/// Says in one sentence what is first found to differ, or nothing when `saved` holds exactly
/// `plan`. The place of our jump among others' rules does not count: two programs that both want to
/// be first must not fight over it.
[[nodiscard]] std::optional<std::string> first_difference(const RulePlan& plan,
                                                          const SavedRules& saved);

/// Input for iptables-restore --noflush that leads from `saved` to `plan`; empty when nothing
/// differs. Touches our own chains and the rules that jump to them, nothing else. Each table
/// changes in one step: no packet ever meets a chain half written, and connection tracking is never
/// without a user in between.
[[nodiscard]] std::string script_to_reach(const RulePlan& plan, const SavedRules& saved);

}  // namespace aquifer::ztunnel
