// RulesStamp: a value that changes whenever the packet filter rules of a namespace change, read
// from the kernel in microseconds. It lets a supervisor look after hundreds of pods every few
// seconds without starting iptables for each.
#pragma once

#include "common/base/result.h"
#include "common/io/netns.h"
#include "ztunnel/capture/iptables.h"

#include <cstdint>
#include <vector>

namespace aquifer::ztunnel {

/// Compared as a whole, between two readings of the same namespace.
struct RulesStamp {
  std::vector<std::uint64_t> values;
  friend bool operator==(const RulesStamp&, const RulesStamp&) noexcept = default;
};

/// With nft the number of rule-set changes the namespace has seen, with legacy a digest of all
/// tables there are.
[[nodiscard]] Result<RulesStamp> read_rules_stamp(const io::NetworkNamespace& where,
                                                  IptablesVariant variant,
                                                  const std::vector<Family>& families);

}  // namespace aquifer::ztunnel
