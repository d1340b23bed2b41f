#include "ztunnel/capture/policy_routing.h"

#include "ztunnel/capture/constants.h"
#include "ztunnel/capture/netlink.h"

#include <fmt/format.h>

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>

namespace aquifer::ztunnel {

namespace {

// The loopback interface is the first of every network namespace.
constexpr std::uint32_t kLoopbackIndex = 1;
// Kernels before 4.20 let the same rule be added twice.
constexpr int kDuplicatesMax = 16;

int address_family(Family family) {
  return family == Family::ipv4 ? AF_INET : AF_INET6;
}

std::unexpected<CaptureError> failed(Family family, const Error& error, const char* doing) {
  return capture_fail(CaptureFailure::refused,
                      fmt::format("{} for {}: {}", doing, name_of(family), error.message()));
}

NetlinkRequest rule_request(std::uint16_t type, std::uint16_t flags, Family family) {
  fib_rule_hdr rule{};
  rule.family = static_cast<std::uint8_t>(address_family(family));
  rule.table = kReturnRouteTable;
  rule.action = FR_ACT_TO_TBL;
  NetlinkRequest request(type, flags);
  request.body(rule)
      .attribute(FRA_PRIORITY, kReturnRulePreference)
      .attribute(FRA_FWMARK, kReturnMark)
      .attribute(FRA_FWMASK, kMarkMask)
      .attribute(FRA_TABLE, kReturnRouteTable);
  return request;
}

NetlinkRequest route_request(std::uint16_t type, std::uint16_t flags, Family family) {
  rtmsg route{};
  route.rtm_family = static_cast<std::uint8_t>(address_family(family));
  route.rtm_table = kReturnRouteTable;
  route.rtm_protocol = RTPROT_STATIC;
  route.rtm_scope = RT_SCOPE_HOST;
  route.rtm_type = RTN_LOCAL;
  NetlinkRequest request(type, flags);
  request.body(route).attribute(RTA_TABLE, kReturnRouteTable).attribute(RTA_OIF, kLoopbackIndex);
  return request;
}

// A kernel without IPv6 answers a question about it with what it has: hence the look at the family.
bool is_our_rule(const NetlinkMessage& message, Family family) {
  const auto rule = message.body<fib_rule_hdr>();
  const auto value = [&](std::uint16_t type) { return message.attribute(sizeof(rule), type, 0); };
  return message.type == RTM_NEWRULE && rule.family == address_family(family) &&
         rule.action == FR_ACT_TO_TBL && rule.src_len == 0 && rule.dst_len == 0 &&
         value(FRA_TABLE) == kReturnRouteTable && value(FRA_PRIORITY) == kReturnRulePreference &&
         value(FRA_FWMARK) == kReturnMark && value(FRA_FWMASK) == kMarkMask;
}

// What table 100 and the rules say.
struct Found {
  bool rule = false;
  bool route = false;
  // A default route in our table that is not ours.
  bool foreign_route = false;
};

void look_at_route(const NetlinkMessage& message, Family family, Found& found) {
  const auto route = message.body<rtmsg>();
  if (message.type != RTM_NEWROUTE || route.rtm_family != address_family(family) ||
      route.rtm_dst_len != 0)
    return;
  const std::uint32_t table = message.attribute(sizeof(route), RTA_TABLE, route.rtm_table);
  if (table != kReturnRouteTable) return;
  const bool ours =
      route.rtm_type == RTN_LOCAL && message.attribute(sizeof(route), RTA_OIF, 0) == kLoopbackIndex;
  (ours ? found.route : found.foreign_route) = true;
}

Result<Found> look(NetlinkSocket& netlink, Family family) {
  Found found;
  fib_rule_hdr any_rule{};
  any_rule.family = static_cast<std::uint8_t>(address_family(family));
  NetlinkRequest rules(RTM_GETRULE, NLM_F_DUMP);
  TRY_VOID(netlink.ask(std::move(rules.body(any_rule)), [&](const NetlinkMessage& message) {
    found.rule = found.rule || is_our_rule(message, family);
  }));
  rtmsg any_route{};
  any_route.rtm_family = static_cast<std::uint8_t>(address_family(family));
  NetlinkRequest routes(RTM_GETROUTE, NLM_F_DUMP);
  TRY_VOID(netlink.ask(std::move(routes.body(any_route)), [&](const NetlinkMessage& message) {
    look_at_route(message, family, found);
  }));
  return found;
}

CaptureResult<Found> look_in(const io::NetworkNamespace& where, Family family) {
  auto netlink = NetlinkSocket::open(where, NETLINK_ROUTE);
  if (!netlink) return failed(family, netlink.error(), "opening rtnetlink");
  auto found = look(*netlink, family);
  if (!found) return failed(family, found.error(), "reading policy rules and routes");
  return *found;
}

// Not there, or a family that the kernel does not have: nothing to take out.
bool means_absent(const Error& error) {
  return error.detail == ENOENT || error.detail == ESRCH || error.detail == EAFNOSUPPORT ||
         error.detail == EOPNOTSUPP;
}

}  // namespace

CaptureStatus install_return_route(const io::NetworkNamespace& where, Family family) {
  auto netlink = NetlinkSocket::open(where, NETLINK_ROUTE);
  if (!netlink) return failed(family, netlink.error(), "opening rtnetlink");
  const auto found = look(*netlink, family);
  if (!found) return failed(family, found.error(), "reading policy rules and routes");
  if (!found->route && found->foreign_route) {
    return capture_fail(
        CaptureFailure::conflict,
        fmt::format("routing table {} of the pod already has another {} default route",
                    kReturnRouteTable, name_of(family)));
  }
  // The route first: a rule that leads to an empty table would fall through and send answers out of
  // the pod.
  if (!found->route) {
    auto done = netlink->ask(route_request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, family));
    if (!done && done.error().detail == ENETDOWN) {
      return failed(family, done.error(),
                    "adding the local route (is the pod's loopback interface up?)");
    }
    if (!done && done.error().detail != EEXIST)
      return failed(family, done.error(), "adding the local route");
  }
  if (!found->rule) {
    auto done = netlink->ask(rule_request(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, family));
    if (!done && done.error().detail != EEXIST)
      return failed(family, done.error(), "adding the policy rule");
  }
  return {};
}

CaptureStatus remove_return_route(const io::NetworkNamespace& where, Family family) {
  auto netlink = NetlinkSocket::open(where, NETLINK_ROUTE);
  if (!netlink) return failed(family, netlink.error(), "opening rtnetlink");
  for (int i = 0; i < kDuplicatesMax; ++i) {
    const auto done = netlink->ask(rule_request(RTM_DELRULE, 0, family));
    if (done) continue;
    if (!means_absent(done.error()))
      return failed(family, done.error(), "removing the policy rule");
    break;
  }
  const auto done = netlink->ask(route_request(RTM_DELROUTE, 0, family));
  if (!done && !means_absent(done.error()))
    return failed(family, done.error(), "removing the local route");
  return {};
}

CaptureResult<std::optional<std::string>> return_route_difference(const io::NetworkNamespace& where,
                                                                  Family family) {
  const auto found = look_in(where, family);
  if (!found) return std::unexpected(found.error());
  if (!found->route)
    return fmt::format("the local route of table {} is missing", kReturnRouteTable);
  if (!found->rule)
    return fmt::format("the policy rule that leads to table {} is missing", kReturnRouteTable);
  return std::nullopt;
}

}  // namespace aquifer::ztunnel
