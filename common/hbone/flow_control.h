// Flow-control windows as plain arithmetic (RFC 9113 section 5.2 and 6.9): how much we may send,
// how much the peer may send, when to give credit back and when to grow. Owned by a session and its
// streams; no time, no io of its own.
#pragma once

#include "common/hbone/frame.h"

#include <algorithm>
#include <cstdint>

namespace aquifer::hbone {

/// What we may still send. Negative when the peer shrank its initial window under us (RFC 9113
/// section 6.9.2).
class SendWindow {
 public:
  explicit SendWindow(std::int64_t size = kDefaultWindow) noexcept : size_(size) {}
  [[nodiscard]] std::int64_t size() const noexcept { return size_; }
  [[nodiscard]] std::size_t usable() const noexcept {
    return size_ > 0 ? static_cast<std::size_t>(size_) : 0;
  }
  void spend(std::size_t bytes) noexcept { size_ -= static_cast<std::int64_t>(bytes); }

  enum class Change : std::uint8_t { unchanged, opened, overflow };
  /// By WINDOW_UPDATE or by a changed initial window. `opened` when it was not positive and now is;
  /// `overflow` (and no change) past 2^31-1.
  [[nodiscard]] Change add(std::int64_t delta) noexcept;

 private:
  std::int64_t size_;
};

/// What the peer may still send on one stream, and what it sent that the application has not taken.
class StreamReceiveWindow {
 public:
  StreamReceiveWindow() noexcept = default;
  explicit StreamReceiveWindow(std::uint32_t target) noexcept : open_(target), target_(target) {}

  /// The peer announced a frame of `bytes`: false is FLOW_CONTROL_ERROR.
  [[nodiscard]] bool spend(std::uint32_t bytes) noexcept;
  /// `bytes` of it went into the inbox; what was spent and is not kept counts as drained.
  void keep(std::uint32_t bytes) noexcept { undrained_ += bytes; }
  /// The application took `bytes` out of the inbox. Doubles the target, up to `target_max`, when a
  /// whole window has gone through within kGrowthRoundMs: only then was the window perhaps what
  /// held the peer back. Returns whether it grew.
  bool drain(std::uint32_t bytes, std::uint32_t now_ms, std::uint32_t target_max) noexcept;
  /// Credit to announce now: 0 until at least half a window is due, so that one WINDOW_UPDATE
  /// serves many frames.
  [[nodiscard]] std::uint32_t take_credit() noexcept;
  /// Our SETTINGS took effect at the peer: every window moves by the difference (RFC 9113
  /// section 6.9.2).
  void rebase(std::int64_t delta) noexcept;

  [[nodiscard]] std::int64_t open() const noexcept { return open_; }
  [[nodiscard]] std::uint32_t target() const noexcept { return target_; }
  [[nodiscard]] std::uint32_t undrained() const noexcept { return undrained_; }
  /// For import of a session's state.
  void restore(std::int64_t open, std::uint32_t target, std::uint32_t undrained) noexcept;

  // One second: a window drained more slowly than that is not what limits any link with a round
  // trip below a second, and a trickle over hours must not earn the right to hold 4 MiB.
  static constexpr std::uint32_t kGrowthRoundMs = 1000;

 private:
  std::int64_t open_ = kDefaultWindow;
  std::uint32_t target_ = kDefaultWindow;
  std::uint32_t undrained_ = 0;
  std::uint32_t round_drained_ = 0;
  std::uint32_t round_started_ms_ = 0;
};

/// The connection's receive window. Credit goes back when bytes ENTER an inbox, so that a stream
/// nobody reads stalls only itself - as long as all inboxes together hold less than
/// `undrained_max`.
class ConnectionReceiveWindow {
 public:
  ConnectionReceiveWindow(std::uint32_t target, std::uint32_t undrained_max) noexcept
      : target_(target), floor_(target), undrained_max_(undrained_max) {}

  [[nodiscard]] bool spend(std::uint32_t bytes) noexcept;
  void keep(std::uint32_t bytes) noexcept { undrained_ += bytes; }
  void drain(std::uint32_t bytes) noexcept { undrained_ -= bytes; }
  void grow_to(std::uint32_t target) noexcept { target_ = std::max(target_, target); }
  [[nodiscard]] std::uint32_t take_credit() noexcept;

  [[nodiscard]] std::int64_t open() const noexcept { return open_; }
  [[nodiscard]] std::uint32_t target() const noexcept { return target_; }
  [[nodiscard]] std::uint32_t undrained() const noexcept { return undrained_; }
  [[nodiscard]] std::uint32_t undrained_max() const noexcept { return undrained_max_; }
  /// True exactly when inboxes leave less room than the first window: credit is then withheld from
  /// everybody, and neighbours of a stalled stream would soon stall too.
  [[nodiscard]] bool under_pressure() const noexcept { return room() < floor_; }
  void restore(std::int64_t open, std::uint32_t target, std::uint32_t undrained) noexcept;

 private:
  [[nodiscard]] std::uint32_t room() const noexcept {
    return undrained_ >= undrained_max_ ? 0 : undrained_max_ - undrained_;
  }

  std::int64_t open_ = kDefaultWindow;
  std::uint32_t target_;
  std::uint32_t floor_;  // the target at first
  std::uint32_t undrained_ = 0;
  std::uint32_t undrained_max_;
};

}  // namespace aquifer::hbone
