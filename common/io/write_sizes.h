// WriteSizes: is it bulk that a stream's owner writes, or does he send little? Told by the sizes of
// the writes alone.
#pragma once

#include <cstddef>
#include <cstdint>

namespace aquifer::io {

class WriteSizes {
 public:
  /// Less than this is little: with a frame's header one TLS record.
  static constexpr std::size_t kLittle = 16384 - 9;

  /// To be called with every write. True when it is a message of somebody who sends little: a
  /// remainder of bulk is small as well, but others like it do not follow.
  bool note(std::size_t bytes) noexcept {
    bulk_ = bytes >= kLittle;
    if (bulk_) {
      small_in_a_row_ = 0;
      return false;
    }
    if (small_in_a_row_ == kNoRemainder) return true;
    ++small_in_a_row_;
    return false;
  }
  /// Was the last write a large one?
  [[nodiscard]] bool is_bulk() const noexcept { return bulk_; }

 private:
  static constexpr std::uint8_t kNoRemainder = 16;

  bool bulk_ = false;
  // Who never wrote much is believed from his first write on.
  std::uint8_t small_in_a_row_ = kNoRemainder;
};

}  // namespace aquifer::io
