// A sequence of independent numbers from the one that a caller drew (splitmix64), and the mixing
// step alone. Plain arithmetic: the same everywhere and for ever.
#pragma once

#include <cstdint>

namespace aquifer::waypoint {

/// Every bit of the result depends on every bit of `z`; no two inputs have one result.
[[nodiscard]] constexpr std::uint64_t mix_bits(std::uint64_t z) noexcept {
  z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27U)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31U);
}

class RandomSequence {
 public:
  explicit constexpr RandomSequence(std::uint64_t seed) noexcept : state_(seed) {}

  constexpr std::uint64_t next() noexcept {
    state_ += 0x9e3779b97f4a7c15ULL;
    return mix_bits(state_);
  }
  /// In [0, bound), by multiplication instead of division; the bias is at most bound / 2^32.
  constexpr std::uint32_t below(std::uint32_t bound) noexcept {
    return static_cast<std::uint32_t>(((next() >> 32U) * bound) >> 32U);
  }
  /// In [0, 1).
  constexpr double unit() noexcept { return static_cast<double>(next() >> 11U) * 0x1.0p-53; }

 private:
  std::uint64_t state_;
};

}  // namespace aquifer::waypoint
