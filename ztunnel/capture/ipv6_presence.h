// Does a namespace have IPv6 at all, and could anything beyond its own link reach it that way?
#pragma once

#include "common/io/netns.h"

#include <cstdint>

namespace aquifer::ztunnel {

enum class Ipv6Presence : std::uint8_t {
  none,    ///< no IPv6 address on any interface: no IPv6 in the kernel, or switched off in this
           ///< namespace
  local,   ///< loopback and link-local addresses only, which every namespace with IPv6 has
  routed,  ///< at least one address that others can use
};

/// A namespace that cannot be looked at counts as `routed`: the stricter answer.
[[nodiscard]] Ipv6Presence ipv6_presence(const io::NetworkNamespace& where);

}  // namespace aquifer::ztunnel
