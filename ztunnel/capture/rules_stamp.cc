#include "ztunnel/capture/rules_stamp.h"

#include "ztunnel/capture/netlink.h"

#include <arpa/inet.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

// The two headers of the legacy interface declare the same structures twice over: only their
// numbers are used.
namespace {

// From linux/netfilter_ipv4/ip_tables.h and linux/netfilter_ipv6/ip6_tables.h.
constexpr int kGetInfo = 64;
constexpr int kTableNameBytes = 32;

struct TableInfo {
  char name[kTableNameBytes];
  unsigned int valid_hooks;
  unsigned int hook_entry[5];
  unsigned int underflow[5];
  unsigned int entries;
  unsigned int size;
};
static_assert(sizeof(TableInfo) == 84);

}  // namespace

namespace aquifer::ztunnel {

namespace {

Result<RulesStamp> read_nft(const io::NetworkNamespace& where) {
  TRY(NetlinkSocket netlink, NetlinkSocket::open(where, NETLINK_NETFILTER));
  NetlinkRequest request((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETGEN, 0);
  RulesStamp stamp;
  TRY_VOID(netlink.ask(std::move(request.body(nfgenmsg{AF_UNSPEC, NFNETLINK_V0, 0})),
                       [&](const NetlinkMessage& message) {
                         // Network order; as a stamp it does not matter.
                         stamp.values.push_back(
                             message.attribute(sizeof(nfgenmsg), NFTA_GEN_ID, 0));
                       }));
  if (stamp.values.empty()) return fail(Errc::not_found, "nf_tables gave no generation");
  return stamp;
}

Status read_legacy(const io::NetworkNamespace& where, Family family, RulesStamp& stamp) {
  const bool v4 = family == Family::ipv4;
  TRY(const Fd fd, io::socket_in(where, v4 ? AF_INET : AF_INET6, SOCK_RAW, IPPROTO_RAW));
  for (const char* table : {"nat", "mangle"}) {
    TableInfo info{};
    std::strncpy(info.name, table, sizeof(info.name) - 1);
    socklen_t size = sizeof(info);
    if (::getsockopt(fd.get(), v4 ? IPPROTO_IP : IPPROTO_IPV6, kGetInfo, &info, &size) != 0) {
      return fail(error_from_errno(errno, "reading the size of an iptables table"));
    }
    stamp.values.push_back(info.entries);
    stamp.values.push_back(info.size);
    // Where the built-in chains begin: shifts when a rule moves between them.
    for (const unsigned int entry : info.hook_entry) stamp.values.push_back(entry);
  }
  return {};
}

}  // namespace

Result<RulesStamp> read_rules_stamp(const io::NetworkNamespace& where, IptablesVariant variant,
                                    const std::vector<Family>& families) {
  if (variant == IptablesVariant::nft) return read_nft(where);
  RulesStamp stamp;
  for (const Family family : families) TRY_VOID(read_legacy(where, family, stamp));
  return stamp;
}

}  // namespace aquifer::ztunnel
