#include "ztunnel/live_connection.h"

namespace aquifer::ztunnel {

LiveConnection::LiveConnection(LiveConnections& list, const ConnectionFacts& facts,
                               telemetry::ConnectionRecord& record) noexcept
    : list_(list), facts_(facts), record_(record), next_(list.first_) {
  if (next_ != nullptr) next_->previous_ = this;
  list.first_ = this;
  ++list.size_;
}

LiveConnection::~LiveConnection() {
  if (next_ != nullptr) next_->previous_ = previous_;
  (previous_ != nullptr ? previous_->next_ : list_.first_) = next_;
  --list_.size_;
}

void LiveConnection::attach(Copy& copy) noexcept {
  AQUIFER_ASSERT(copy_ == nullptr);
  copy_ = &copy;
  if (cut_reason_ != nullptr) copy_->cancel();
}

void LiveConnection::cut(const char* reason) noexcept {
  if (cut_reason_ != nullptr) return;
  cut_reason_ = reason;
  if (copy_ != nullptr) copy_->cancel();
}

void LiveConnection::finish(CopyEnd end, MonoTime now) {
  if (cut_reason_ != nullptr) {
    record_.fail(now, telemetry::ResponseFlag::deny, cut_reason_);
  } else if (end != CopyEnd::cancelled) {
    record_.succeed(now);
  }
}

}  // namespace aquifer::ztunnel
