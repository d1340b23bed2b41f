#include "config/manifests/auto_addresses.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

namespace aquifer::manifests {
namespace {

std::string key_of(std::string_view ns, std::string_view entry, std::string_view host) {
  return fmt::format("{}/{}/{}", ns, entry, host);
}

// FNV-1a, finished by a mixer: the same on every machine, unlike std::hash.
std::uint64_t stable_hash(std::string_view text) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : text) hash = (hash ^ static_cast<std::uint8_t>(c)) * 0x100000001b3ULL;
  hash = (hash ^ (hash >> 33U)) * 0xff51afd7ed558ccdULL;
  return hash ^ (hash >> 33U);
}

// From 1 on.
std::uint16_t slot_of(std::uint64_t hash) noexcept {
  return static_cast<std::uint16_t>(1 + hash % kAutoAddressesMax);
}

IpAddress v4_of(std::uint16_t slot) noexcept {
  return IpAddress::v4(
      {240, 240, static_cast<std::uint8_t>(slot >> 8U), static_cast<std::uint8_t>(slot)});
}

IpAddress v6_of(std::uint16_t slot) noexcept {
  std::array<std::uint8_t, 16> bytes{0x20, 0x01, 0x00, 0x02};
  bytes[14] = static_cast<std::uint8_t>(slot >> 8U);
  bytes[15] = static_cast<std::uint8_t>(slot);
  return IpAddress::v6(bytes);
}

}  // namespace

void AutoAddresses::want(std::string_view ns, std::string_view entry, std::string_view host) {
  wanted_.insert(key_of(ns, entry, host));
}

void AutoAddresses::take(const IpAddress& address) {
  const ByteView bytes = address.bytes();
  const bool v4 = address.is_v4() && Cidr(v4_of(0), 16).contains(address);
  const bool v6 = address.is_v6() && Cidr(v6_of(0), 112).contains(address);
  if (!v4 && !v6) return;
  const std::size_t last = bytes.size() - 1;
  taken_.insert(static_cast<std::uint16_t>(static_cast<unsigned>(bytes[last - 1]) << 8U |
                                           static_cast<unsigned>(bytes[last])));
}

bool AutoAddresses::assign() {
  // In the order of their hashes: where two want one slot, who gets it depends on these two alone,
  // and a third that comes or goes moves nobody whose slot it does not want.
  std::vector<std::pair<std::uint64_t, const std::string*>> order;
  order.reserve(wanted_.size());
  for (const std::string& key : wanted_) order.emplace_back(stable_hash(key), &key);
  std::ranges::sort(order);
  for (const auto& [hash, key] : order) {
    if (taken_.size() >= kAutoAddressesMax) return false;
    std::uint64_t probe = hash;
    std::uint16_t slot = slot_of(probe);
    while (!taken_.insert(slot).second) {
      probe = probe * 6364136223846793005ULL + 1442695040888963407ULL;
      slot = slot_of(probe >> 16U);
    }
    slots_.emplace(*key, slot);
  }
  return true;
}

std::vector<IpAddress> AutoAddresses::of(std::string_view ns, std::string_view entry,
                                         std::string_view host) const {
  const auto at = slots_.find(key_of(ns, entry, host));
  if (at == slots_.end()) return {};
  return {v4_of(at->second), v6_of(at->second)};
}

}  // namespace aquifer::manifests
