// What each connection of the integrity test does, and each byte it carries: both are functions of
// the seed and the connection's number, so that the two ends agree without talking about it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <vector>

namespace aquifer::e2e {

/// Every connection begins with its number, as the client's first bytes.
inline constexpr std::size_t kNumberBytes = 8;
inline constexpr std::uint64_t kWriteBytesMax = 1 << 20;

/// splitmix64's finisher: neighbouring inputs give unrelated outputs.
constexpr std::uint64_t mix(std::uint64_t x) noexcept {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept : state_(seed) {}
  std::uint64_t next() noexcept { return mix(state_++); }
  /// From 0 to `bound` - 1.
  std::uint64_t below(std::uint64_t bound) noexcept { return next() % bound; }
  bool one_in(std::uint64_t n) noexcept { return below(n) == 0; }
  /// Every order of magnitude up to 2^`bits` is as likely as another.
  std::uint64_t magnitude(unsigned bits) noexcept {
    const std::uint64_t power = std::uint64_t{1} << below(bits + 1);
    return std::min(power + below(power), std::uint64_t{1} << bits);
  }

 private:
  std::uint64_t state_;
};

enum class End : std::uint8_t { client, server };

constexpr End other(End end) noexcept {
  return end == End::client ? End::server : End::client;
}

/// One direction: the sizes of the writes, in order.
struct Writes {
  std::vector<std::uint32_t> sizes;
  std::uint64_t total = 0;
};

enum class ResetAfter : std::uint8_t { sending, receiving };

struct Reset {
  End by;
  ResetAfter after;
  std::uint64_t bytes;
};

struct Plan {
  Writes from_client;  ///< without the number
  Writes from_server;
  /// This end sends nothing before it has seen the other's end of stream: half-closed for long.
  std::optional<End> waits_for_end;
  std::optional<Reset> reset;

  [[nodiscard]] const Writes& from(End end) const noexcept {
    return end == End::client ? from_client : from_server;
  }
};

inline Writes plan_writes(Random& random) {
  Writes writes;
  for (std::uint64_t left = random.below(9); left > 0; --left) {
    // Mostly small, for ten thousand connections have to fit into a minute; all sizes occur.
    const std::uint64_t kind = random.below(1000);
    const unsigned bits = kind < 900 ? 12 : kind < 990 ? 16 : 20;
    const std::uint64_t size = kind == 0 ? kWriteBytesMax : kind < 50 ? 1 : random.magnitude(bits);
    writes.sizes.push_back(static_cast<std::uint32_t>(size));
    writes.total += size;
  }
  return writes;
}

inline Plan plan_of(std::uint64_t seed, std::uint64_t number) {
  Random random(mix(seed ^ mix(number)));
  Plan plan;
  plan.from_client = plan_writes(random);
  plan.from_server = plan_writes(random);
  if (random.one_in(3)) plan.waits_for_end = random.one_in(2) ? End::client : End::server;
  if (random.one_in(3)) {
    const End by = random.one_in(2) ? End::client : End::server;
    const ResetAfter after = random.one_in(2) ? ResetAfter::sending : ResetAfter::receiving;
    const Writes& counted = plan.from(after == ResetAfter::sending ? by : other(by));
    plan.reset = Reset{by, after, random.below(counted.total + 1)};
  }
  return plan;
}

/// The bytes that `sender` sends on one connection, wherever one looks into them.
class Content {
 public:
  Content(std::uint64_t seed, std::uint64_t number, End sender) noexcept
      : key_(mix(seed) ^ mix(number * 2 + (sender == End::client ? 0 : 1))) {}

  void fill(std::uint64_t offset, std::uint8_t* out, std::size_t count) const noexcept {
    for (std::size_t done = 0; done < count;) {
      const std::uint64_t at = offset + done;
      const std::size_t skip = at % 8;
      const std::size_t size = std::min(8 - skip, count - done);
      const std::uint64_t word = mix(key_ + at / 8);
      std::memcpy(out + done, reinterpret_cast<const std::uint8_t*>(&word) + skip, size);
      done += size;
    }
  }
  /// The first place where `bytes` differ from what was sent.
  [[nodiscard]] std::optional<std::uint64_t> first_difference(std::uint64_t offset,
                                                              const std::uint8_t* bytes,
                                                              std::size_t count) const {
    std::vector<std::uint8_t> sent(count);
    fill(offset, sent.data(), count);
    const auto differing = std::mismatch(sent.begin(), sent.end(), bytes);
    if (differing.first == sent.end()) return std::nullopt;
    return offset + static_cast<std::uint64_t>(differing.first - sent.begin());
  }

 private:
  std::uint64_t key_;
};

}  // namespace aquifer::e2e
