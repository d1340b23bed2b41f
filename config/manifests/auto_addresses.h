// Addresses for hosts of ServiceEntries that have none, from the ranges that Istio takes them from.
// A pure function of the hosts: every node, and every reload, gives a host the same address.
#pragma once

#include "common/base/address.h"

#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace aquifer::manifests {

/// 240.240.0.0/16 without its first and last address.
inline constexpr std::size_t kAutoAddressesMax = 65'534;

class AutoAddresses {
 public:
  /// A host that wants an address; the names together are unique.
  void want(std::string_view ns, std::string_view entry, std::string_view host);
  /// An address that somebody has: nobody else gets it.
  void take(const IpAddress& address);

  /// Gives the addresses out; call once, after all want() and take(). False when there were not
  /// enough: some hosts have none then.
  [[nodiscard]] bool assign();

  /// One of 240.240.0.0/16 and one of 2001:2::/48; none for who did not ask.
  [[nodiscard]] std::vector<IpAddress> of(std::string_view ns, std::string_view entry,
                                          std::string_view host) const;

 private:
  std::set<std::string> wanted_;
  std::set<std::uint16_t> taken_;
  std::unordered_map<std::string, std::uint16_t> slots_;
};

}  // namespace aquifer::manifests
