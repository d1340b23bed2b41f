// Followers: those who follow what happens, as JSON lines that do not end. Each has a queue of its
// own and loses its place when it does not keep up. Control thread.
#pragma once

#include "common/admin/journal.h"
#include "common/admin/message.h"
#include "common/base/assert.h"
#include "common/coro/event.h"
#include "common/io/expiry.h"
#include "common/io/loop.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace aquifer::admin {

template <typename Event>
class Followers {
 public:
  using Wants = std::function<bool(const Event&)>;
  using Line = std::function<std::string(const Event&)>;

  /// `line` makes an event's line, with its end; `tell` hears of the first who comes and the last
  /// who goes.
  Followers(io::Loop& loop, Line line, std::function<void(bool followed)> tell)
      : loop_(loop), line_(std::move(line)), tell_(std::move(tell)) {}
  ~Followers() { AQUIFER_ASSERT(followers_.empty()); }
  Followers(const Followers&) = delete;
  Followers& operator=(const Followers&) = delete;

  /// A stream of the events that are wanted; it ends when its reader goes, or with a line that says
  /// how many events it lost. Null when too many follow already.
  [[nodiscard]] std::unique_ptr<BodySource> follow(Wants wants) {
    if (followers_.size() >= kFollowersMax) return nullptr;
    return std::make_unique<Follower>(*this, std::move(wants));
  }
  void deliver(const Batch<Event>& batch) {
    for (Follower* follower : followers_) follower->take(batch);
  }

  /// People who look at the same time, and a collector or two; each may cost the control thread as
  /// much as the workers produce.
  static constexpr std::size_t kFollowersMax = 16;
  /// Waiting for one follower: some seconds of a busy node, about 500 bytes each.
  static constexpr std::size_t kQueuedLinesMax = 20'000;
  /// One piece of the stream: about as much as a socket takes at once.
  static constexpr std::size_t kPieceBytes = 64 * 1024;
  /// A follower hears at least this often, so that it and we find out when the other is gone.
  static constexpr auto kHeartbeat = std::chrono::seconds(15);

 private:
  class Follower final : public BodySource {
   public:
    Follower(Followers& all, Wants wants) : all_(all), wants_(std::move(wants)) {
      all_.join(*this);
    }
    ~Follower() override { all_.leave(*this); }

    void take(const Batch<Event>& batch) {
      lost_by_workers_ += batch.lost;
      for (const Event& event : batch.events) {
        if (!wants_(event)) continue;
        if (lost_ > 0 || lines_.size() >= kQueuedLinesMax) {
          ++lost_;
        } else {
          lines_.push_back(all_.line_(event));
        }
      }
      arrived_.notify();
    }

    coro::Task<std::string> next(coro::CancelSource* cancel) override {
      if (ended_) co_return std::string();
      while (lines_.empty() && lost_by_workers_ == 0) {
        if (lost_ > 0) {
          ended_ = true;
          co_return lost_line(lost_, true);
        }
        const Status woken =
            co_await io::wait_event(all_.loop_, arrived_, all_.loop_.after(kHeartbeat), cancel);
        if (woken) continue;
        if (woken.error().code != Errc::timed_out) co_return std::string();
        co_return std::string("\n");
      }
      std::string piece;
      if (lost_by_workers_ > 0) piece = lost_line(std::exchange(lost_by_workers_, 0), false);
      while (!lines_.empty() && piece.size() < kPieceBytes) {
        piece += lines_.front();
        lines_.pop_front();
      }
      co_return piece;
    }

   private:
    static std::string lost_line(std::uint64_t lost, bool ends) {
      return "{\"event\":\"lost\",\"lost\":" + std::to_string(lost) +
             ",\"ends\":" + (ends ? "true" : "false") + "}\n";
    }
    Followers& all_;
    Wants wants_;
    std::deque<std::string> lines_;
    coro::Event arrived_;
    std::uint64_t lost_ = 0;             // since the queue was full; ends the stream
    std::uint64_t lost_by_workers_ = 0;  // in bursts that no worker can hold
    bool ended_ = false;
  };

  void join(Follower& follower) {
    followers_.push_back(&follower);
    if (followers_.size() == 1) tell_(true);
  }
  void leave(Follower& follower) noexcept {
    std::erase(followers_, &follower);
    if (followers_.empty()) tell_(false);
  }

  io::Loop& loop_;
  const Line line_;
  const std::function<void(bool)> tell_;
  std::vector<Follower*> followers_;
};

}  // namespace aquifer::admin
