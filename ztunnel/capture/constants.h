// Numbers that the capture rules and the data path must agree on; the ports of the proxy are in
// config/model/proxy_ports.h. Marks and the probe address are Istio's, so that pods captured by its
// node agent and pods captured by us look the same from inside the proxy.
#pragma once

#include <cstdint>
#include <string_view>

namespace aquifer::ztunnel {

/// Set (SO_MARK) on every socket that the proxy has in a pod's namespace, listeners too: never
/// captured again. PACKET_MARK chooses another.
inline constexpr std::uint32_t kProxyMark = 0x539;
/// Connection mark of what the proxy opened towards the application, and mark of the application's
/// answers.
inline constexpr std::uint32_t kReturnMark = 0x111;
/// Both marks live in these bits; the others belong to whoever else uses marks.
inline constexpr std::uint32_t kMarkMask = 0xfff;
/// True exactly when the rules can tell sockets with this mark from all others.
[[nodiscard]] constexpr bool is_proxy_mark(std::uint32_t mark) noexcept {
  return mark != 0 && mark <= kMarkMask && mark != kReturnMark;
}

inline constexpr std::uint16_t kDnsPort = 15053;

/// Where the node's probes seem to come from, once the node agent has translated their source.
inline constexpr std::string_view kProbeSourceV4 = "169.254.7.127";
inline constexpr std::string_view kProbeSourceV6 = "fd16:9254:7127:1337:ffff:ffff:ffff:ffff";

/// The application's answers to a client whose address the proxy borrowed are delivered locally by
/// this table.
inline constexpr std::uint32_t kReturnRouteTable = 100;
/// Just before the main table (32766).
inline constexpr std::uint32_t kReturnRulePreference = 32764;

}  // namespace aquifer::ztunnel
