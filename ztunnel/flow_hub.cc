#include "ztunnel/flow_hub.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <deque>
#include <utility>

namespace aquifer::ztunnel {
namespace {

// One piece of the stream: about as much as a socket takes at once.
constexpr std::size_t kPieceBytes = 64 * 1024;

// A follower hears at least this often, so that it and we find out when the other is gone.
constexpr auto kHeartbeat = std::chrono::seconds(15);

std::string line_of(const FlowEvent& event) {
  return to_json(event).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::string lost_line(std::uint64_t lost, bool ends) {
  return fmt::format("{{\"event\":\"lost\",\"lost\":{},\"ends\":{}}}\n", lost, ends);
}

}  // namespace

class FlowHub::Follower final : public admin::BodySource {
 public:
  Follower(FlowHub& hub, FlowFilter filter) : hub_(hub), filter_(std::move(filter)) {
    hub_.join(*this);
  }
  ~Follower() override { hub_.leave(*this); }

  void take(const FlowBatch& batch) {
    lost_by_workers_ += batch.lost;
    for (const FlowEvent& event : batch.events) {
      if (!filter_.wants(event)) continue;
      if (lost_ > 0 || lines_.size() >= kQueuedLinesMax) {
        ++lost_;
      } else {
        lines_.push_back(line_of(event));
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
          co_await io::wait_event(hub_.loop_, arrived_, hub_.loop_.after(kHeartbeat), cancel);
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
  FlowHub& hub_;
  FlowFilter filter_;
  std::deque<std::string> lines_;
  coro::Event arrived_;
  std::uint64_t lost_ = 0;             // since the queue was full; ends the stream
  std::uint64_t lost_by_workers_ = 0;  // in bursts that no worker can hold
  bool ended_ = false;
};

std::unique_ptr<admin::BodySource> FlowHub::follow(FlowFilter filter) {
  if (followers_.size() >= kFollowersMax) return nullptr;
  return std::make_unique<Follower>(*this, std::move(filter));
}

void FlowHub::deliver(const FlowBatch& batch) {
  for (Follower* follower : followers_) follower->take(batch);
}

void FlowHub::join(Follower& follower) {
  followers_.push_back(&follower);
  if (followers_.size() == 1) tell_workers();
}

void FlowHub::leave(Follower& follower) noexcept {
  std::erase(followers_, &follower);
  if (followers_.empty()) tell_workers();
}

void FlowHub::tell_workers() {
  const bool followed = !followers_.empty();
  for (const auto& worker : workers_) {
    worker->look([this, followed](Worker& side, const Pods&) {
      if (!followed) {
        side.journal.follow(nullptr);
        return;
      }
      side.journal.follow([this](FlowBatch batch) {
        loop_.post([this, batch = std::move(batch)] { deliver(batch); });
      });
    });
  }
}

}  // namespace aquifer::ztunnel
