// The ports on which the proxy listens in every pod: what capture redirects to, what other nodes
// dial, and what no connection may be sent to through the proxy. Istio's numbers.
#pragma once

#include <cstdint>

namespace aquifer::model {

inline constexpr std::uint16_t kOutboundPort = 15001;
inline constexpr std::uint16_t kInboundPlaintextPort = 15006;
inline constexpr std::uint16_t kInboundTunnelPort = 15008;

}  // namespace aquifer::model
