// The tunnel's half of its session and of its streams: what happens when frames arrive, and what
// streams ask for. Events only record and mark ready; nothing runs from inside the session.
#include "common/base/log.h"
#include "common/hbone/tunnel.h"

#include <utility>

namespace aquifer::hbone {

void Tunnel::on_request(Stream& stream, ConnectRequest&& request) {
  auto owned = std::unique_ptr<TunnelStream>(new TunnelStream(*this, &stream));
  stream.user = owned.get();
  requests_.push_back({std::move(owned), std::move(request)});
}

void Tunnel::on_response(Stream& stream, ConnectResponse&& response) {
  auto* owner = static_cast<TunnelStream*>(stream.user);
  if (owner == nullptr) return;
  owner->response_ = std::make_unique<ConnectResponse>(std::move(response));
  owner->readable_.notify();
}

std::size_t Tunnel::on_data(Stream& stream, ByteView payload) {
  auto* owner = static_cast<TunnelStream*>(stream.user);
  if (owner == nullptr || owner->failed_) return payload.size();
  std::size_t taken = 0;
  if (owner->sink_ != nullptr && owner->inbox_.empty()) taken = owner->sink_->deliver(payload);
  if (taken == payload.size()) return taken;
  const ByteView rest = payload.subspan(taken);
  owner->inbox_.append(io::Buffer::copy_of(rest));
  account_.queued_bytes += rest.size();
  owner->readable_.notify();
  return taken;
}

void Tunnel::on_end_stream(Stream& stream) {
  if (auto* owner = static_cast<TunnelStream*>(stream.user)) owner->readable_.notify();
}

void Tunnel::on_reset(Stream& stream, ErrorCode code) {
  auto* owner = static_cast<TunnelStream*>(stream.user);
  if (owner == nullptr) return;
  Error error(Errc::connection_reset, ErrorSource::upstream, "stream reset by the peer");
  owner->refused_unseen_ = code == ErrorCode::refused_stream;
  owner->fail(owner->refused_unseen_ ? error.retryable() : error);
}

void Tunnel::on_window(Stream& stream) {
  if (auto* owner = static_cast<TunnelStream*>(stream.user)) owner->writable_.notify();
}

void Tunnel::on_connection_window() {
  session_.for_each_stream([](Stream& stream) {
    if (auto* owner = static_cast<TunnelStream*>(stream.user)) owner->writable_.notify();
  });
}

void Tunnel::on_goaway(std::uint32_t, ErrorCode) {
  // A client's only says that it wants no streams of ours: our own drain has still to be announced.
  if (session_.role() == Role::server) return;
  draining_ = true;
  farewell_if_idle();
}

void Tunnel::on_ping_ack(std::uint64_t opaque) {
  if (opaque == kDrainPing && draining_) {
    session_.go_away(ErrorCode::no_error);
    none_under_way_ = true;
    farewell_if_idle();
    return;
  }
  ping_acked_ = ping_acked_ || opaque == ping_sent_;
}

// What the streams ask of their tunnel.

std::size_t Tunnel::room() const noexcept {
  const bool beside_little = loop_.courtesy().is_due(loop_.now());
  const std::size_t mark = beside_little ? kQueueMarkBesideLittle : kQueueMark;
  const std::size_t queued = sealed_.size() + plain_.size();
  return queued < mark ? mark - queued : 0;
}

void Tunnel::wait_for_room(TunnelStream& stream) {
  room_waiters_.push_back(&stream);
}

void Tunnel::forget_waiter(TunnelStream& stream) noexcept {
  std::erase(room_waiters_, &stream);
}

void Tunnel::wake_waiters() noexcept {
  if (sealed_.empty()) {
    // No send will follow that could wake the rest: all of them look again.
    while (!room_waiters_.empty()) wake_first_waiter();
    return;
  }
  // In the order they came: each adds at most one chunk, then waits behind the others again.
  std::size_t wakes = 1 + room() / (64 * 1024);
  while (wakes-- > 0 && !room_waiters_.empty()) wake_first_waiter();
}

void Tunnel::wake_first_waiter() noexcept {
  TunnelStream* next = room_waiters_.front();
  room_waiters_.pop_front();
  next->waits_for_room_ = false;
  next->writable_.notify();
}

void Tunnel::took_from_inbox(Stream& stream, std::size_t bytes) {
  account_.queued_bytes -= bytes;
  session_.drained(stream, bytes, loop_.now());
  if (!plain_.empty()) request_flush();
}

void Tunnel::enforce_budget() {
  while (session_.under_pressure() && session_.largest_undrained() != nullptr) shed_largest();
  account_.enforce_budget();
}

std::size_t Tunnel::largest_queue() noexcept {
  const Stream* largest = session_.largest_undrained();
  return largest == nullptr ? 0 : largest->undrained();
}

void Tunnel::shed_largest() noexcept {
  Stream& largest = *session_.largest_undrained();
  auto& owner = *static_cast<TunnelStream*>(largest.user);
  log::warn("hbone::tunnel", "stream of {} reset: its application leaves {} bytes unread",
            account_.name, owner.inbox_.size());
  session_.reset(largest, ErrorCode::enhance_your_calm);
  request_flush();
  const std::size_t queued = owner.inbox_.size();
  owner.inbox_.clear();
  took_from_inbox(largest, queued);
  owner.fail(Error(Errc::limit, ErrorSource::downstream, "too many bytes that nobody reads"));
}

void Tunnel::fail_streams(Error end) {
  requests_.clear();
  session_.for_each_stream([end](Stream& stream) {
    if (auto* owner = static_cast<TunnelStream*>(stream.user)) owner->fail(end);
  });
}

void Tunnel::stream_gone() noexcept {
  --streams_;
  if (streams_ > 0) return;
  streams_gone_.notify();
  farewell_if_idle();
}

}  // namespace aquifer::hbone
