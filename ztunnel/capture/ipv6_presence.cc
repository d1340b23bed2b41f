#include "ztunnel/capture/ipv6_presence.h"

#include <fstream>
#include <string>

namespace aquifer::ztunnel {

Ipv6Presence ipv6_presence(const io::NetworkNamespace& where) {
  const auto inside = io::NamespaceGuard::enter(where);
  if (!inside) return Ipv6Presence::routed;
  // Absent in a kernel without IPv6. A line is: address, interface, prefix length, scope, flags,
  // name.
  std::ifstream table("/proc/thread-self/net/if_inet6");
  Ipv6Presence presence = Ipv6Presence::none;
  std::string address;
  std::string index;
  std::string prefix;
  std::string scope;
  std::string flags;
  std::string name;
  while (table >> address >> index >> prefix >> scope >> flags >> name) {
    // Scope 00 is global; 10, 20 and 40 end at the host, the link and the site.
    if (scope == "00") return Ipv6Presence::routed;
    presence = Ipv6Presence::local;
  }
  return presence;
}

}  // namespace aquifer::ztunnel
