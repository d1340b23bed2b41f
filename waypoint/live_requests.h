// The requests, and the connections that are passed through, that one loop serves right now, for
// whoever looks at them (`waypoint flows`). On the loop's thread.
#pragma once

#include "common/base/assert.h"
#include "common/http/message.h"

#include <cstddef>

namespace aquifer::waypoint {

class LiveRequest;
struct RequestRecord;

/// Newest first.
class LiveRequests {
 public:
  LiveRequests() = default;
  LiveRequests(const LiveRequests&) = delete;
  LiveRequests& operator=(const LiveRequests&) = delete;
  ~LiveRequests() { AQUIFER_ASSERT(first_ == nullptr); }

  /// `use(const LiveRequest&)`; none goes away before the loop's next turn.
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
  /// What it shows outlives it; `head` is null for a connection.
  LiveRequest(LiveRequests& list, const RequestRecord& record,
              const http::RequestHead* head) noexcept
      : list_(list), record_(record), head_(head), next_(list.first_) {
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
  [[nodiscard]] const RequestRecord& record() const noexcept { return record_; }
  [[nodiscard]] const http::RequestHead* head() const noexcept { return head_; }

 private:
  friend class LiveRequests;
  LiveRequests& list_;
  const RequestRecord& record_;
  const http::RequestHead* head_;
  LiveRequest* next_ = nullptr;
  LiveRequest* previous_ = nullptr;
};

template <typename Use>
void LiveRequests::for_each(Use&& use) const {
  for (LiveRequest* at = first_; at != nullptr; at = at->next_) use(*at);
}

}  // namespace aquifer::waypoint
