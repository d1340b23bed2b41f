// The requests that one loop serves right now, for whoever looks at them (`waypoint flows`) or ends
// them. On the loop's thread.
#pragma once

#include "common/base/assert.h"

#include <cstddef>

namespace aquifer::waypoint {

class Exchange;
class LiveRequest;

/// Newest first.
class LiveRequests {
 public:
  LiveRequests() = default;
  LiveRequests(const LiveRequests&) = delete;
  LiveRequests& operator=(const LiveRequests&) = delete;
  ~LiveRequests() { AQUIFER_ASSERT(first_ == nullptr); }

  /// `use(Exchange&)`; none goes away before the loop's next turn.
  template <typename Use>
  void for_each(Use&& use) const;
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
  friend class LiveRequest;
  LiveRequest* first_ = nullptr;
  std::size_t size_ = 0;
};

/// One of them, while it lives.
class LiveRequest {
 public:
  LiveRequest(LiveRequests& list, Exchange& exchange) noexcept
      : list_(list), exchange_(exchange), next_(list.first_) {
    if (next_ != nullptr) next_->previous_ = this;
    list_.first_ = this;
    ++list_.size_;
  }
  LiveRequest(const LiveRequest&) = delete;
  LiveRequest& operator=(const LiveRequest&) = delete;
  ~LiveRequest() {
    (previous_ != nullptr ? previous_->next_ : list_.first_) = next_;
    if (next_ != nullptr) next_->previous_ = previous_;
    --list_.size_;
  }

 private:
  friend class LiveRequests;
  LiveRequests& list_;
  Exchange& exchange_;
  LiveRequest* next_ = nullptr;
  LiveRequest* previous_ = nullptr;
};

template <typename Use>
void LiveRequests::for_each(Use&& use) const {
  for (LiveRequest* at = first_; at != nullptr; at = at->next_) use(at->exchange_);
}

}  // namespace aquifer::waypoint
