// Limits on what a peer may make us do for nothing: a token bucket for each kind of cheap frame
// with a dear effect. Time is passed in. Owned by one connection.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace aquifer::http2 {

enum class Flood : std::uint8_t {
  early_reset,    ///< a stream that ended before its answer, by the peer's RST_STREAM or because it
                  ///< broke a rule
  settings,       ///< SETTINGS frames: each costs an acknowledgement and a walk over all streams
  ping,           ///< PING frames: each costs an answer
  empty_data,     ///< DATA without payload and without END_STREAM
  window_update,  ///< WINDOW_UPDATE frames beyond what our own DATA explains
  other,          ///< PRIORITY and unknown types
};
inline constexpr std::size_t kFloodKinds = 6;
/// For the log.
[[nodiscard]] const char* name_of(Flood kind) noexcept;

struct FloodLimit {
  std::uint32_t burst;       ///< events at once
  std::uint32_t per_second;  ///< events in the long run
};

/// Each is several times what the busiest honest peer does.
struct FloodLimits {
  std::array<FloodLimit, kFloodKinds> by_kind{{
      // Clients that race requests and cancel the losers do so thousands of times a second. What a
      // cancelled one costs beyond that is bounded by ServerOptions::held_max.
      {.burst = 10'000, .per_second = 5'000},
      // Peers send one, some a second one when they retune their windows.
      {.burst = 50, .per_second = 1},
      // gRPC measures bandwidth by a ping each round trip in which DATA comes, and near neighbours
      // have thousands of those a second: one for each DATA frame of ours is earned by sending.
      {.burst = 2'000, .per_second = 1'000},
      // Never needed; some stacks flush with one at the start of a body.
      {.burst = 1'000, .per_second = 100},
      // Two for each DATA frame of ours is the worst honest habit; earned by sending.
      {.burst = 10'000, .per_second = 1'000},
      // Trees of priorities as browsers' libraries build them.
      {.burst = 20'000, .per_second = 1'000},
  }};
};

/// CONTINUATION frames of one header block: 256 KiB at the usual frame size, of which 64 are read
/// and the rest is answered 431.
inline constexpr std::size_t kContinuationsMax = 16;
/// Frames waiting to be written (resets, acknowledgements, window updates) past which the
/// connection ends: the peer makes us answer and does not read.
inline constexpr std::size_t kBacklogFramesMax = 20'000;

class FloodGuard {
 public:
  explicit FloodGuard(const FloodLimits& limits) noexcept;
  /// One event; false when there are too many: the connection has to end with ENHANCE_YOUR_CALM.
  [[nodiscard]] bool admit(Flood kind, std::uint32_t now_ms) noexcept;
  /// `events` more of this kind are explained by what we did ourselves.
  void earn(Flood kind, std::uint32_t events) noexcept;

 private:
  struct Bucket {
    FloodLimit limit;
    // In thousandths of an event, so that one millisecond at one a second is not lost.
    std::uint64_t level_milli;
    std::uint32_t updated_ms;
  };
  std::array<Bucket, kFloodKinds> buckets_;
};

}  // namespace aquifer::http2
