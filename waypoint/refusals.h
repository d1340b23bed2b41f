// The last requests and connections of one loop that were not allowed, and why, for `/refusals`. On
// its loop.
#pragma once

#include "waypoint/seen_request.h"

#include <cstddef>
#include <deque>
#include <utility>

namespace aquifer::waypoint {

class Refusals {
 public:
  void add(SeenRequest refused) {
    if (kept_.size() >= kKeptMax) kept_.pop_front();
    kept_.push_back(std::move(refused));
  }
  /// The oldest first.
  [[nodiscard]] const std::deque<SeenRequest>& kept() const noexcept { return kept_; }

  /// Enough for whoever asks why the last attempts failed; about 100 KiB a loop.
  static constexpr std::size_t kKeptMax = 128;

 private:
  std::deque<SeenRequest> kept_;
};

}  // namespace aquifer::waypoint
