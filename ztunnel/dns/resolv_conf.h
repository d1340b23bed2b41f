// Which servers queries are forwarded to: the nameserver lines of resolv.conf, or what the operator
// says. Pure.
#pragma once

#include "common/base/address.h"
#include "common/base/result.h"

#include <string_view>
#include <vector>

namespace aquifer::ztunnel::dns {

/// In the order in which they are asked.
using Servers = std::vector<SocketAddress>;

/// More are not asked within the time that a client waits; glibc reads as many.
inline constexpr std::size_t kServersMax = 3;
inline constexpr std::uint16_t kDnsServerPort = 53;

/// The first kServersMax nameserver lines; what is no address is skipped, as resolvers do.
[[nodiscard]] Servers parse_resolv_conf(std::string_view text);

/// "10.0.0.10", "10.0.0.10:5353", "[fd00::1]:53", several separated by commas; not more than
/// kServersMax.
[[nodiscard]] Result<Servers> parse_servers(std::string_view text);

/// Without servers on loopback addresses: queries leave from inside the pods, whose loopback is not
/// the node's.
[[nodiscard]] Servers reachable_from_pods(Servers servers);

}  // namespace aquifer::ztunnel::dns
