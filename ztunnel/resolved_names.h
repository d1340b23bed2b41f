// Which host names a pod resolved to an address, as it learned them from our DNS: an egress policy
// that speaks of names compares the address that the pod dials with these. One per pod, on its
// loop.
#pragma once

#include "common/base/address.h"
#include "common/base/time.h"
#include "config/model/egress.h"

#include <cstddef>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace aquifer::ztunnel {

class ResolvedNames {
 public:
  /// Addresses remembered for one pod; past it the one that was resolved longest ago is forgotten.
  /// About 200 bytes each, and what their names cost.
  static constexpr std::size_t kAddressesMax = 2048;
  /// Names of one address: content networks put a few hundred names behind one; a pod uses a few of
  /// them. Past it the one that was resolved longest ago is forgotten.
  static constexpr std::size_t kNamesPerAddressMax = 16;
  /// Names in all, of at most 253 bytes: together with the addresses less than 2 MiB for a pod that
  /// resolves whatever it can, nothing for one that does not resolve. Past it the address that was
  /// resolved longest ago is forgotten with its names.
  static constexpr std::size_t kNamesMax = 4096;
  /// A name counts this much longer than its TTL: runtimes keep answers past it (Java 30 s; pools
  /// and drivers dial an address again for minutes), and a connection that would have been allowed
  /// a minute ago must not fail because an application caches. An answer of TTL 0 is still used
  /// once.
  static constexpr Duration kGrace = std::chrono::minutes(5);
  /// TTLs above this count as this.
  static constexpr Duration kTtlMax = std::chrono::hours(24);

  ResolvedNames() = default;
  ResolvedNames(const ResolvedNames&) = delete;
  ResolvedNames& operator=(const ResolvedNames&) = delete;

  /// The pod was told that `host` has `address`. `host` is what the pod asked for, in any case,
  /// with or without a final dot; aliases on the way may be remembered in the same way.
  void remember(std::string_view host, const IpAddress& address, Duration ttl, MonoTime now);

  /// The names that count for `address`, lower case, the one resolved last first.
  [[nodiscard]] std::vector<model::HostName> names_of(const IpAddress& address, MonoTime now) const;

  /// Addresses remembered, also such as have expired and were not pushed out yet.
  [[nodiscard]] std::size_t size() const noexcept { return by_address_.size(); }

 private:
  struct Name {
    model::HostName host;
    MonoTime until;
  };
  struct Entry {
    IpAddress address;
    std::vector<Name> names;  // the one resolved last at the back
  };
  using Entries = std::list<Entry>;

  void forget_oldest();

  Entries entries_;        // the one resolved last first
  std::size_t names_ = 0;  // of all entries
  std::unordered_map<IpAddress, Entries::iterator> by_address_;
};

}  // namespace aquifer::ztunnel
