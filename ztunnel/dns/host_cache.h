// HostCache: addresses of host names that one pod's proxy has asked for, for as long as their TTL
// says. On the pod's loop.
#pragma once

#include "common/base/address.h"
#include "common/base/time.h"

#include <cstddef>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace aquifer::ztunnel::dns {

/// One per pod: a pod can forge answers inside its own
/// namespace, and must harm nobody but itself.
class HostCache {
 public:
  /// As the peer's.
  static constexpr std::size_t kEntriesMax = 4096;

  explicit HostCache(std::size_t entries_max = kEntriesMax) : entries_max_(entries_max) {}

  /// Null when nothing is kept, or no longer. Valid until the next call.
  [[nodiscard]] const std::vector<IpAddress>* find(std::string_view key, MonoTime now);
  /// Makes room by giving up what was not asked for the longest.
  void put(std::string key, std::vector<IpAddress> addresses, MonoTime until);
  [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }

 private:
  struct Entry {
    std::string key;
    std::vector<IpAddress> addresses;
    MonoTime until;
  };
  std::size_t entries_max_;
  std::list<Entry> entries_;  // the latest used first
  std::unordered_map<std::string_view, std::list<Entry>::iterator> by_key_;
};

}  // namespace aquifer::ztunnel::dns
