#include "ztunnel/dns/resolv_conf.h"

namespace aquifer::ztunnel::dns {
namespace {

constexpr std::string_view kBlanks = " \t\r";

// The first word of `text`, which loses it.
std::string_view take_word(std::string_view& text) {
  const std::size_t begin = std::min(text.find_first_not_of(kBlanks), text.size());
  text.remove_prefix(begin);
  const std::size_t end = std::min(text.find_first_of(kBlanks), text.size());
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(end);
  return word;
}

}  // namespace

Servers parse_resolv_conf(std::string_view text) {
  Servers servers;
  while (!text.empty() && servers.size() < kServersMax) {
    const std::size_t newline = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, newline);
    text.remove_prefix(std::min(newline + 1, text.size()));
    if (take_word(line) != "nameserver") continue;
    // A link-local server carries its interface (fe80::1%eth0), which means nothing inside a pod.
    if (const auto address = IpAddress::parse(take_word(line)))
      servers.push_back({*address, kDnsServerPort});
  }
  return servers;
}

Result<Servers> parse_servers(std::string_view text) {
  Servers servers;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    const std::string_view item = text.substr(0, comma);
    text.remove_prefix(std::min(comma + 1, text.size()));
    if (const auto bare = IpAddress::parse(item)) {
      servers.push_back({*bare, kDnsServerPort});
    } else {
      TRY(const SocketAddress server, SocketAddress::parse(item));
      if (server.port == 0) return fail(Errc::invalid, "a DNS server's port is not 0");
      servers.push_back(server);
    }
  }
  if (servers.empty() || servers.size() > kServersMax)
    return fail(Errc::invalid, "one to three DNS servers");
  return servers;
}

Servers reachable_from_pods(Servers servers) {
  std::erase_if(servers, [](const SocketAddress& server) { return server.ip.is_loopback(); });
  return servers;
}

}  // namespace aquifer::ztunnel::dns
