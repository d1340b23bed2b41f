// Which iptables rules a pod's namespace shall hold in each phase of its capture. Pure: text in,
// text out; what is there already is saved_rules.h, how to get from there to here is reconcile.h.
#pragma once

#include "ztunnel/capture/constants.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace aquifer::ztunnel {

enum class Family : std::uint8_t { ipv4, ipv6 };

/// Redirect DNS queries to the proxy? With it off, TCP port 53 is captured like any other TCP.
enum class DnsCapture : std::uint8_t { off, on };

/// How much of the rules is wanted.
enum class CapturePhase : std::uint8_t {
  absent,    ///< nothing of ours
  draining,  ///< no new connection is captured, the captured ones live on
  captured,  ///< everything
};

/// Every chain whose name begins so is ours to change and to delete; none other ever is.
inline constexpr std::string_view kOwnChainPrefix = "AQUIFER_";

/// One chain of ours, the built-in chain that jumps to it, and its rules in order.
struct ChainPlan {
  std::string_view table;
  std::string_view builtin;
  std::string_view chain;
  /// As iptables-save prints them, without "-A CHAIN ".
  std::vector<std::string> rules;
};

/// Tables in the order in which they must be written: what redirected packets need on their way
/// comes before the redirects. Empty for CapturePhase::absent.
using RulePlan = std::vector<ChainPlan>;

/// `proxy_mark`: what the proxy's own sockets carry. `dns_port`: where the proxy is asked, with
/// DnsCapture::on.
[[nodiscard]] RulePlan plan_rules(CapturePhase phase, Family family, DnsCapture dns,
                                  std::uint32_t proxy_mark = kProxyMark,
                                  std::uint16_t dns_port = kDnsPort);

[[nodiscard]] std::string_view name_of(Family family) noexcept;
[[nodiscard]] std::string_view name_of(CapturePhase phase) noexcept;

}  // namespace aquifer::ztunnel
