#include "waypoint/upstream/stable_hash.h"

#include "waypoint/upstream/random_sequence.h"

#include <algorithm>
#include <cstddef>

namespace aquifer::waypoint {
namespace {

// Little endian whatever the machine is.
std::uint64_t word_of(std::string_view bytes) noexcept {
  std::uint64_t word = 0;
  for (std::size_t i = bytes.size(); i-- > 0;)
    word = (word << 8U) | static_cast<std::uint8_t>(bytes[i]);
  return word;
}

}  // namespace

std::uint64_t stable_hash(std::string_view text, std::uint64_t seed) noexcept {
  // The length goes in first, so that a text and the same with zero bytes behind it differ.
  std::uint64_t hash = mix_bits(seed ^ (0x9e3779b97f4a7c15ULL + text.size()));
  while (!text.empty()) {
    const std::string_view part = text.substr(0, std::min(text.size(), std::size_t{8}));
    hash = mix_bits(hash ^ word_of(part)) + 0x9e3779b97f4a7c15ULL;
    text.remove_prefix(part.size());
  }
  return mix_bits(hash);
}

std::uint64_t stable_endpoint_id(std::string_view workload_uid, std::uint16_t port) noexcept {
  return stable_hash(workload_uid, port);
}

}  // namespace aquifer::waypoint
