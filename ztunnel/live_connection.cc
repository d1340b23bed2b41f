#include "ztunnel/live_connection.h"

#include <utility>

namespace aquifer::ztunnel {

LiveConnection::LiveConnection(LiveConnections& list, ConnectionKindPtr kind,
                               const SocketAddress& client)
    : list_(list),
      next_(list.first_),
      member_(list.scope_),
      kind_(std::move(kind)),
      record_(list.traffic_, kind_->counters, log_of(kind_), client, list.loop_.now()) {
  if (next_ != nullptr) next_->previous_ = this;
  list.first_ = this;
  ++list.size_;
  ++list.flows_.counts.opened;
  record_.watch(this, &list.flows_.counts.bytes);
}

LiveConnection::~LiveConnection() {
  // The record will say so itself, when it goes.
  if (!ended_) on_end(telemetry::ResponseFlag::connect, telemetry::ConnectionRecord::kDrained);
  record_.watch(nullptr, nullptr);
  if (next_ != nullptr) next_->previous_ = previous_;
  (previous_ != nullptr ? previous_->next_ : list_.first_) = next_;
  --list_.size_;
}

void LiveConnection::set_kind(ConnectionKindPtr kind) noexcept {
  kind_ = std::move(kind);
  record_.set_log(log_of(kind_));
}

void LiveConnection::turn_to(telemetry::ResponseFlag flag, ConnectionKindPtr kind) {
  kind_ = std::move(kind);
  record_.turn_to(flag, kind_->counters, log_of(kind_));
}

void LiveConnection::refuse(const Refusal& refusal) {
  refusal_ = std::make_unique<const Refusal>(refusal);
  record_.fail(list_.loop_.now(), refusal.flag, refusal.reason);
}

void LiveConnection::fail(telemetry::ResponseFlag flag, std::string error) {
  record_.fail(list_.loop_.now(), flag, std::move(error));
}

void LiveConnection::succeed() {
  record_.succeed(list_.loop_.now());
}

void LiveConnection::run(std::unique_ptr<LiveConnection> connection,
                         std::unique_ptr<io::ByteStream> client,
                         std::unique_ptr<io::ByteStream> server, telemetry::GaugeHold socket,
                         std::size_t read_under_way) {
  // Given up again by on_copy_end(); the pod's scope is joined until then.
  LiveConnection& live = *connection.release();
  live.socket_ = std::move(socket);
  live.client_ = std::move(client);
  live.server_ = std::move(server);
  live.copy_.emplace(*live.client_, *live.server_, live.record_);
  live.list_.flows_.opened(live.facts(), live.record_);
  if (live.cut_reason_ != nullptr) live.copy_->cancel();
  live.copy_->start(live.list_.scope_.cancel_source(), live, read_under_way);
}

void LiveConnection::run_elsewhere(coro::CancelSource& ending) {
  elsewhere_ = &ending;
  list_.flows_.opened(facts(), record_);
  if (cut_reason_ != nullptr) ending.cancel();
}

void LiveConnection::finish(io::CopyEnd end) {
  if (cut_reason_ != nullptr) {
    fail(telemetry::ResponseFlag::deny, cut_reason_);
  } else if (end != io::CopyEnd::cancelled) {
    succeed();
  }
}

void LiveConnection::cut(const char* reason, const Refusal& refusal) {
  if (cut_reason_ != nullptr) return;
  cut_reason_ = reason;
  auto blamed = refusal;
  blamed.reason = reason;
  refusal_ = std::make_unique<const Refusal>(std::move(blamed));
  if (copy_) copy_->cancel();
  if (elsewhere_ != nullptr) elsewhere_->cancel();
}

void LiveConnection::on_copy_end(io::CopyEnd end) noexcept {
  const std::unique_ptr<LiveConnection> self(this);
  finish(end);
}

void LiveConnection::on_end(telemetry::ResponseFlag flag, const std::string& error) noexcept {
  ended_ = true;
  const bool denied = flag == telemetry::ResponseFlag::deny && refusal_ != nullptr;
  if (denied) {
    const FlowKind kind = is_open() ? FlowKind::ended : FlowKind::refused;
    list_.flows_.denied(kind, facts(), record_, *refusal_);
  } else {
    const FlowKind kind = is_open() || error.empty() ? FlowKind::ended : FlowKind::failed;
    list_.flows_.ended(kind, facts(), record_, error);
  }
}

}  // namespace aquifer::ztunnel
