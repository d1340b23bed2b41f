#include "common/hbone/flow_control.h"

#include "common/base/assert.h"

namespace aquifer::hbone {

SendWindow::Change SendWindow::add(std::int64_t delta) noexcept {
  // Both terms fit in 33 bits: the sum cannot wrap.
  if (size_ + delta > kWindowMax) return Change::overflow;
  const bool was_open = size_ > 0;
  size_ += delta;
  return !was_open && size_ > 0 ? Change::opened : Change::unchanged;
}

bool StreamReceiveWindow::spend(std::uint32_t bytes) noexcept {
  if (bytes > open_) return false;
  open_ -= bytes;
  return true;
}

bool StreamReceiveWindow::drain(std::uint32_t bytes, std::uint32_t now_ms,
                                std::uint32_t target_max) noexcept {
  AQUIFER_ASSERT(bytes <= undrained_);
  undrained_ -= bytes;
  // Unsigned differences survive the wrap of the millisecond counter.
  if (round_drained_ == 0 || now_ms - round_started_ms_ > kGrowthRoundMs) {
    round_drained_ = 0;
    round_started_ms_ = now_ms;
  }
  round_drained_ += bytes;
  if (round_drained_ < target_) return false;
  round_drained_ = 0;
  if (target_ >= target_max) return false;
  target_ = target_ > target_max / 2 ? target_max : target_ * 2;
  return true;
}

std::uint32_t StreamReceiveWindow::take_credit() noexcept {
  const std::int64_t credit = std::int64_t{target_} - undrained_ - open_;
  if (credit < std::max<std::int64_t>(1, target_ / 2)) return 0;
  open_ += credit;
  return static_cast<std::uint32_t>(credit);
}

void StreamReceiveWindow::rebase(std::int64_t delta) noexcept {
  open_ += delta;
  target_ = static_cast<std::uint32_t>(std::max<std::int64_t>(1, target_ + delta));
}

void StreamReceiveWindow::restore(std::int64_t open, std::uint32_t target,
                                  std::uint32_t undrained) noexcept {
  open_ = open;
  target_ = target;
  undrained_ = undrained;
}

bool ConnectionReceiveWindow::spend(std::uint32_t bytes) noexcept {
  if (bytes > open_) return false;
  open_ -= bytes;
  return true;
}

std::uint32_t ConnectionReceiveWindow::take_credit() noexcept {
  const std::int64_t limit = std::min(target_, room());
  const std::int64_t credit = limit - open_;
  // Half of what may be open now; and no dribbles when there is hardly any room: then the owner has
  // to make some.
  if (credit < std::max<std::int64_t>({1, limit / 2, floor_ / 4})) return 0;
  open_ += credit;
  return static_cast<std::uint32_t>(credit);
}

void ConnectionReceiveWindow::restore(std::int64_t open, std::uint32_t target,
                                      std::uint32_t undrained) noexcept {
  open_ = open;
  target_ = target;
  undrained_ = undrained;
}

}  // namespace aquifer::hbone
