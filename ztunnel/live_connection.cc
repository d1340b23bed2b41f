#include "ztunnel/live_connection.h"

namespace aquifer::ztunnel {

LiveConnection::LiveConnection(LiveConnections& list, const ConnectionFacts& facts,
                               telemetry::ConnectionRecord& record) noexcept
    : list_(list), facts_(facts), record_(record), next_(list.first_) {
  if (next_ != nullptr) next_->previous_ = this;
  list.first_ = this;
  ++list.size_;
  ++list.flows_.counts.opened;
  record.watch(this, &list.flows_.counts.bytes);
}

LiveConnection::~LiveConnection() {
  // The record will say so itself, when it goes.
  if (!ended_) on_end(telemetry::ResponseFlag::connect, telemetry::ConnectionRecord::kDrained);
  record_.watch(nullptr, nullptr);
  if (next_ != nullptr) next_->previous_ = previous_;
  (previous_ != nullptr ? previous_->next_ : list_.first_) = next_;
  --list_.size_;
}

void LiveConnection::attach(io::Copy& copy) noexcept {
  AQUIFER_ASSERT(copy_ == nullptr);
  copy_ = &copy;
  list_.flows_.opened(facts_);
  if (cut_reason_ != nullptr) copy_->cancel();
}

void LiveConnection::refuse(MonoTime now, const Refusal& refusal) {
  refusal_ = std::make_unique<const Refusal>(refusal);
  record_.fail(now, refusal.flag, refusal.reason);
}

void LiveConnection::cut(const char* reason, const Refusal& refusal) {
  if (cut_reason_ != nullptr) return;
  cut_reason_ = reason;
  auto blamed = refusal;
  blamed.reason = reason;
  refusal_ = std::make_unique<const Refusal>(std::move(blamed));
  if (copy_ != nullptr) copy_->cancel();
}

void LiveConnection::finish(io::CopyEnd end, MonoTime now) {
  if (cut_reason_ != nullptr) {
    record_.fail(now, telemetry::ResponseFlag::deny, cut_reason_);
  } else if (end != io::CopyEnd::cancelled) {
    record_.succeed(now);
  }
}

void LiveConnection::on_end(telemetry::ResponseFlag flag, const std::string& error) noexcept {
  ended_ = true;
  const bool denied = flag == telemetry::ResponseFlag::deny && refusal_ != nullptr;
  if (denied) {
    const FlowKind kind = is_open() ? FlowKind::ended : FlowKind::refused;
    list_.flows_.denied(kind, facts_, record_, *refusal_);
  } else {
    const FlowKind kind = is_open() || error.empty() ? FlowKind::ended : FlowKind::failed;
    list_.flows_.ended(kind, facts_, record_, error);
  }
}

}  // namespace aquifer::ztunnel
