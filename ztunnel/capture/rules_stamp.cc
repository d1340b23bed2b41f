#include "ztunnel/capture/rules_stamp.h"

#include "ztunnel/capture/netlink.h"

#include <arpa/inet.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace aquifer::ztunnel {

namespace {

// The legacy interface (linux/netfilter_ipv4/ip_tables.h and its IPv6 twin). Its headers are no
// C++, so the parts that are needed are named here; the kernel has promised them to iptables for
// ever.
constexpr int kGetInfo = 64;
constexpr int kGetEntries = 65;
constexpr std::size_t kTableNameBytes = 32;
// A pod's tables are some KiB; a larger one is looked at by iptables alone.
constexpr std::size_t kTableBytesMax = 1u << 20;

struct TableInfo {
  char name[kTableNameBytes];
  std::uint32_t valid_hooks;
  std::uint32_t hook_entry[5];
  std::uint32_t underflow[5];
  std::uint32_t entries;
  std::uint32_t size;
};
static_assert(sizeof(TableInfo) == 84);

// struct ipt_get_entries up to its entries, which are aligned to 8 bytes.
struct EntriesHeader {
  char name[kTableNameBytes];
  std::uint32_t size;
  std::uint32_t padding;
};
static_assert(sizeof(EntriesHeader) == 40);

// Where the fields of one entry stand; they follow the address part, which differs between the
// families.
struct EntryLayout {
  std::size_t next_offset;  // 16 bits: bytes to the next entry
  std::size_t counters;  // packets and bytes: they change with traffic and are no part of the rule
  std::size_t header_bytes;
};
constexpr std::size_t kCounterBytes = 16;
constexpr EntryLayout kLayoutV4{.next_offset = 90, .counters = 96, .header_bytes = 112};
constexpr EntryLayout kLayoutV6{.next_offset = 142, .counters = 152, .header_bytes = 168};

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

// FNV-1a: tells changes apart, not attacks; who can write these tables needs no collision.
class Digest {
 public:
  void add(std::span<const std::byte> bytes) {
    for (const std::byte byte : bytes)
      state_ = (state_ ^ static_cast<std::uint8_t>(byte)) * 0x100000001b3u;
  }
  [[nodiscard]] std::uint64_t value() const { return state_; }

 private:
  std::uint64_t state_ = 0xcbf29ce484222325u;
};

std::uint64_t digest_entries(std::span<const std::byte> entries, const EntryLayout& layout) {
  Digest digest;
  while (entries.size() >= layout.header_bytes) {
    std::uint16_t entry_bytes = 0;
    std::memcpy(&entry_bytes, entries.data() + layout.next_offset, sizeof(entry_bytes));
    if (entry_bytes < layout.header_bytes || entry_bytes > entries.size()) break;
    digest.add(entries.first(layout.counters));
    digest.add(entries.subspan(layout.counters + kCounterBytes,
                               entry_bytes - layout.counters - kCounterBytes));
    entries = entries.subspan(entry_bytes);
  }
  return digest.value();
}

Result<std::uint64_t> digest_table(int fd, Family family, std::string_view table) {
  const bool v4 = family == Family::ipv4;
  const int level = v4 ? IPPROTO_IP : IPPROTO_IPV6;
  TableInfo info{};
  table.copy(info.name, sizeof(info.name) - 1);
  socklen_t size = sizeof(info);
  if (::getsockopt(fd, level, kGetInfo, &info, &size) != 0) {
    return fail(error_from_errno(errno, "reading the size of an iptables table"));
  }
  if (info.size > kTableBytesMax) return fail(Errc::limit, "an iptables table too large to digest");
  EntriesHeader header{};
  table.copy(header.name, sizeof(header.name) - 1);
  header.size = info.size;
  std::vector<std::byte> answer(sizeof(header) + info.size);
  std::memcpy(answer.data(), &header, sizeof(header));
  size = static_cast<socklen_t>(answer.size());
  // Refused when the table has changed its size since: the next look will be better.
  if (::getsockopt(fd, level, kGetEntries, answer.data(), &size) != 0) {
    return fail(error_from_errno(errno, "reading an iptables table"));
  }
  return digest_entries(std::span(answer).subspan(sizeof(header)), v4 ? kLayoutV4 : kLayoutV6);
}

Status read_legacy(const io::NetworkNamespace& where, Family family, RulesStamp& stamp) {
  TRY(const Fd fd,
      io::socket_in(where, family == Family::ipv4 ? AF_INET : AF_INET6, SOCK_RAW, IPPROTO_RAW));
  for (const std::string& table : legacy_table_names(where, family)) {
    TRY(const std::uint64_t digest, digest_table(fd.get(), family, table));
    stamp.values.push_back(digest);
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
