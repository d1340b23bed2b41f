// Time as the loops see it. Only a loop reads the clock; everybody else is handed a Deadline.
#pragma once

#include <chrono>

namespace aquifer {

using Clock = std::chrono::steady_clock;
using MonoTime = Clock::time_point;
using Duration = Clock::duration;

/// A point in time by which something must have happened. Passed down, never restarted at each
/// layer.
class Deadline {
 public:
  /// Never expires.
  constexpr Deadline() noexcept = default;
  constexpr explicit Deadline(MonoTime at) noexcept : at_(at) {}

  [[nodiscard]] static constexpr Deadline never() noexcept { return Deadline(); }
  [[nodiscard]] constexpr bool is_never() const noexcept { return at_ == MonoTime::max(); }
  [[nodiscard]] constexpr bool expired(MonoTime now) const noexcept { return now >= at_; }
  [[nodiscard]] constexpr MonoTime at() const noexcept { return at_; }
  /// The nearer of the two.
  [[nodiscard]] constexpr Deadline sooner(Deadline other) const noexcept {
    return other.at_ < at_ ? other : *this;
  }
  friend constexpr auto operator<=>(Deadline, Deadline) noexcept = default;

 private:
  MonoTime at_ = MonoTime::max();
};

}  // namespace aquifer
