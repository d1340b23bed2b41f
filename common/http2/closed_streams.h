// ClosedStreams: how the last streams of a peer ended, so that a frame for one of them can be
// judged after nghttp2 has forgotten it (RFC 9113 section 5.1). Server only; owned by one
// connection.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace aquifer::http2 {

class ClosedStreams {
 public:
  enum class How : std::uint8_t { open, ended, reset_by_peer, reset_by_us };
  enum class Verdict : std::uint8_t {
    fine,           ///< open, or may have been under way when we closed it
    never_opened,   ///< a number that was left out: connection error PROTOCOL_ERROR
    after_the_end,  ///< connection error STREAM_CLOSED
    after_reset,    ///< stream error STREAM_CLOSED
  };

  /// HEADERS of the peer: opens the stream if it is a new one, whose numbers only rise. Also one
  /// that is refused, for which more may be under way.
  [[nodiscard]] Verdict headers(std::int32_t id) noexcept {
    if (id <= last_ || id % 2 == 0) return judge(id);
    last_ = id;
    place(id) = {id, How::open};
    return Verdict::fine;
  }
  /// What is said first stays; but the peer's own reset says that nothing more is under way.
  void close(std::int32_t id, How how) noexcept {
    Entry& entry = place(id);
    if (entry.id != id) return;
    const bool later_reset = entry.how == How::reset_by_us && how == How::reset_by_peer;
    if (entry.how == How::open || later_reset) entry.how = how;
  }
  /// What is too old to be known is fine.
  [[nodiscard]] Verdict judge(std::int32_t id) const noexcept {
    if (id > last_ || id % 2 == 0 || last_ - id >= 2 * static_cast<std::int32_t>(kKnown))
      return Verdict::fine;
    const Entry& entry = entries_[index(id)];
    if (entry.id != id) return Verdict::never_opened;
    switch (entry.how) {
      case How::ended: return Verdict::after_the_end;
      case How::reset_by_peer: return Verdict::after_reset;
      case How::open:
      case How::reset_by_us: break;
    }
    return Verdict::fine;
  }

 private:
  // A peer that errs errs soon.
  static constexpr std::size_t kKnown = 64;
  struct Entry {
    std::int32_t id = 0;
    How how = How::open;
  };
  static std::size_t index(std::int32_t id) noexcept {
    return static_cast<std::size_t>(id / 2) % kKnown;
  }
  Entry& place(std::int32_t id) noexcept { return entries_[index(id)]; }

  std::array<Entry, kKnown> entries_;
  std::int32_t last_ = 0;
};

}  // namespace aquifer::http2
