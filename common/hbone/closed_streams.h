// Memory of how the last streams ended, because the same frame on a closed stream is an error, or
// nothing, or a worse error, depending on that (RFC 9113 section 5.1).
#pragma once

#include <array>
#include <cstdint>

namespace aquifer::hbone {

enum class ClosedHow : std::uint8_t {
  unknown =
      0,  ///< skipped by the peer (idle streams below a newer one close silently), or too long ago
  ended = 1,  ///< both sides sent END_STREAM, or the peer reset it: the peer knows, more frames are
              ///< its error
  reset = 2,  ///< we reset it: frames may still be under way
  open = 3,   ///< in use
};

/// Two bits for each of the last kRemembered stream ids of one parity. A value.
class ClosedStreams {
 public:
  // 256: more streams than may be open at once, so that whatever is under way at a reset is still
  // recognised.
  static constexpr std::uint32_t kRemembered = 256;

  /// Stream `id` came into use; everything between it and the newest id so far counts as skipped.
  void opened(std::uint32_t id) noexcept;
  void closed(std::uint32_t id, ClosedHow how) noexcept;
  /// Ids further back than kRemembered are `reset`: the lenient answer.
  [[nodiscard]] ClosedHow how(std::uint32_t id) const noexcept;
  friend bool operator==(const ClosedStreams&, const ClosedStreams&) noexcept = default;

 private:
  void put(std::uint32_t index, ClosedHow how) noexcept;

  std::uint32_t newest_ = 0;  // id, 0: none yet
  std::array<std::uint64_t, kRemembered / 32> bits_{};
};

}  // namespace aquifer::hbone
