#include "common/hbone/closed_streams.h"

namespace aquifer::hbone {

void ClosedStreams::put(std::uint32_t index, ClosedHow how) noexcept {
  const std::uint32_t slot = index % kRemembered;
  const std::uint32_t shift = (slot % 32) * 2;
  std::uint64_t& word = bits_[slot / 32];
  word = (word & ~(std::uint64_t{3} << shift)) | (static_cast<std::uint64_t>(how) << shift);
}

void ClosedStreams::opened(std::uint32_t id) noexcept {
  // A peer may jump far ahead: clearing every slot once is enough.
  const std::uint32_t index = id >> 1;
  const std::uint32_t newest = newest_ >> 1;
  if (newest_ == 0 || index - newest >= kRemembered) {
    bits_.fill(0);
  } else {
    for (std::uint32_t skipped = newest + 1; skipped < index; ++skipped)
      put(skipped, ClosedHow::unknown);
  }
  put(index, ClosedHow::open);
  newest_ = id;
}

void ClosedStreams::closed(std::uint32_t id, ClosedHow how) noexcept {
  if ((newest_ >> 1) - (id >> 1) < kRemembered) put(id >> 1, how);
}

ClosedHow ClosedStreams::how(std::uint32_t id) const noexcept {
  const std::uint32_t index = id >> 1;
  if ((newest_ >> 1) - index >= kRemembered) return ClosedHow::reset;
  const std::uint32_t slot = index % kRemembered;
  return static_cast<ClosedHow>((bits_[slot / 32] >> ((slot % 32) * 2)) & 3);
}

}  // namespace aquifer::hbone
