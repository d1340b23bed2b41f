// How the keys of the snapshot's indexes are hashed. Within one process only: nothing is stored.
#pragma once

#include "common/base/address.h"

#include <cstdint>
#include <functional>
#include <string_view>

namespace aquifer::model {

inline std::uint64_t combine_hashes(std::uint64_t a, std::uint64_t b) noexcept {
  const std::uint64_t mixed = (a ^ (b + 0x9e3779b97f4a7c15ULL)) * 0xd6e8feb86659fd93ULL;
  return (mixed ^ (mixed >> 32U)) * 0x9fb21c651e98df25ULL;
}

inline std::uint64_t index_hash(std::string_view text) noexcept {
  return std::hash<std::string_view>()(text);
}
inline std::uint64_t index_hash(std::string_view network, const IpAddress& ip) noexcept {
  return combine_hashes(index_hash(network), ip.hash());
}
inline std::uint64_t index_hash(std::string_view network, const Cidr& cidr) noexcept {
  return combine_hashes(index_hash(network, cidr.address()), cidr.prefix_bits());
}
inline std::uint64_t index_hash(std::string_view ns, std::string_view name) noexcept {
  return combine_hashes(index_hash(ns), index_hash(name));
}

}  // namespace aquifer::model
