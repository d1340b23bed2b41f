// Limits on what a peer may make us do for nothing: one token bucket for each kind of cheap frame
// with a dear effect. Time is passed in. Owned by one session.
#pragma once

#include <array>
#include <cstdint>

namespace aquifer::hbone {

/// Kinds of events that are counted. Names are what the log says when one trips.
enum class Flood : std::uint8_t {
  early_reset,  ///< the peer reset a stream we had not answered, or made us reset it by breaking a
                ///< rule
  settings,     ///< SETTINGS frames, each costs an acknowledgement and a walk over all streams
  ping,         ///< PING frames, each costs an answer
  empty_data,   ///< DATA without payload and without END_STREAM
  window_update,  ///< WINDOW_UPDATE frames beyond what our own DATA explains
  other,          ///< PRIORITY, unknown types, frames for streams long closed
};
inline constexpr std::size_t kFloodKinds = 6;

struct FloodLimit {
  std::uint32_t burst;       ///< events at once
  std::uint32_t per_second;  ///< events in the long run
};

/// Why these numbers: each is several times what the busiest honest peer does, and at each of them
/// the work done for an attacker stays a few per cent of one core.
struct FloodLimits {
  std::array<FloodLimit, kFloodKinds> by_kind{{
      // An application that is aborted before the far side answered is one reset: 5,000 a second
      // are honest.
      {.burst = 20'000, .per_second = 10'000},
      // Peers send one, some a second one when they retune their windows.
      {.burst = 50, .per_second = 1},
      // ztunnel pings every 10 s; stacks that measure bandwidth ping once a round trip in which
      // DATA comes: one for each DATA frame of ours is earned by sending.
      {.burst = 2'000, .per_second = 1'000},
      // Never needed; some stacks flush with one at the start of a body.
      {.burst = 1'000, .per_second = 100},
      // Two for each DATA frame of ours is the worst honest habit; earned by sending, see earn().
      {.burst = 10'000, .per_second = 1'000},
      // Frames still under way when we reset a stream, PRIORITY trees of browsers' libraries.
      {.burst = 20'000, .per_second = 1'000},
  }};
};

/// CONTINUATION frames of one header block: 64 KiB of headers need 4 at the usual frame size.
inline constexpr std::uint32_t kContinuationsMax = 16;
/// Settings in one frame: 8 are defined, unknown ones are allowed.
inline constexpr std::uint32_t kSettingsPerFrameMax = 64;
/// Bytes waiting to be written, past which answers (PING, SETTINGS, RST_STREAM) are not queued any
/// more and the connection ends: the peer makes us answer and does not read. DATA queued by the
/// tunnel stays far below it.
inline constexpr std::size_t kOutputBacklogMax = std::size_t{8} << 20;

class FloodGuard {
 public:
  explicit FloodGuard(const FloodLimits& limits) noexcept;
  /// One event; false when there are too many: the connection has to end with ENHANCE_YOUR_CALM.
  [[nodiscard]] bool admit(const FloodLimits& limits, Flood kind, std::uint32_t now_ms) noexcept;
  /// `events` more of this kind are explained by what we did ourselves.
  void earn(const FloodLimits& limits, Flood kind, std::uint32_t events) noexcept;

 private:
  struct Bucket {
    // In thousandths of an event, so that one millisecond at one a second is not lost.
    std::uint32_t level_milli;
    std::uint32_t updated_ms;
  };
  std::array<Bucket, kFloodKinds> buckets_;
};

}  // namespace aquifer::hbone
