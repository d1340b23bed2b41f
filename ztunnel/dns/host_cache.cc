#include "ztunnel/dns/host_cache.h"

#include "common/base/assert.h"

namespace aquifer::ztunnel::dns {

const std::vector<IpAddress>* HostCache::find(std::string_view key, MonoTime now) {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return nullptr;
  const auto entry = found->second;
  if (entry->until <= now) {
    by_key_.erase(found);
    entries_.erase(entry);
    return nullptr;
  }
  entries_.splice(entries_.begin(), entries_, entry);
  return &entry->addresses;
}

void HostCache::put(std::string key, std::vector<IpAddress> addresses, MonoTime until) {
  AQUIFER_ASSERT(entries_max_ > 0);
  if (const auto found = by_key_.find(key); found != by_key_.end()) {
    const auto entry = found->second;
    by_key_.erase(found);
    entries_.erase(entry);
  }
  if (entries_.size() >= entries_max_) {
    by_key_.erase(entries_.back().key);
    entries_.pop_back();
  }
  entries_.push_front({std::move(key), std::move(addresses), until});
  by_key_.emplace(entries_.front().key, entries_.begin());
}

}  // namespace aquifer::ztunnel::dns
