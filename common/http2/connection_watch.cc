// What a connection does by the clock, and its end by our own wish.
#include "common/base/log.h"
#include "common/http2/connection.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <cstring>

namespace aquifer::http2 {
namespace {

// What a peer still sends after our end is read and dropped for so long.
constexpr auto kFarewell = std::chrono::seconds(2);

constexpr Error kSilent = Error(Errc::timed_out, "the peer does not answer");

}  // namespace

Deadline Connection::next_check() const noexcept {
  if (parting_) return Deadline(parted_at_ + kFarewell);
  if (!settings_came_) return Deadline(started_at_ + options_.settings_timeout);
  if (ping_awaited_ != 0) return Deadline(ping_sent_at_ + options_.ping_timeout);
  const MonoTime idle = (attached_ > 0 ? loop_.now() : idle_since_) + options_.idle_timeout;
  return Deadline(std::min(heard_at_ + options_.ping_interval, idle));
}

coro::Task<void> Connection::watch() {
  for (;;) {
    const Status woken =
        co_await io::wait_event(loop_, recheck_, next_check(), &loops_.cancel_source());
    if (!woken && woken.error().code == Errc::cancelled) co_return;
    if (!check_peer()) {
      reading_.cancel();
      co_return;
    }
  }
}

bool Connection::check_peer() {
  const MonoTime now = loop_.now();
  if (parting_) return now < parted_at_ + kFarewell;
  if (!settings_came_) return now < started_at_ + options_.settings_timeout;
  if (ping_awaited_ != 0) {
    if (now < ping_sent_at_ + options_.ping_timeout) return true;
    log::debug("http2", "connection ended: a ping was not answered");
    fail_streams(kSilent.from(peer_source()));
    return false;
  }
  if (attached_ == 0 && now >= idle_since_ + options_.idle_timeout) {
    drain();
    return true;
  }
  if (now >= heard_at_ + options_.ping_interval) {
    // A quiet connection gives back what a burst needed.
    if (attached_ == 0) spare_ = decltype(spare_)();
    ping_awaited_ = ++ping_number_;
    ping_sent_at_ = now;
    std::uint8_t opaque[8];
    std::memcpy(opaque, &ping_awaited_, sizeof opaque);
    std::ignore = nghttp2_submit_ping(session_.get(), NGHTTP2_FLAG_NONE, opaque);
    flush_soon();
  }
  return true;
}

void Connection::drain() {
  if (draining_ || ended_) return;
  draining_ = true;
  // Before it runs nothing is watched.
  if (started_) begin_drain();
}

void Connection::begin_drain() {
  if (role_ == Role::client) {
    end_drain();
    return;
  }
  // Two steps: requests that are under way when the client hears the first are still taken; the
  // answer to this ping says that none is under way any more.
  std::ignore = nghttp2_submit_shutdown_notice(session_.get());
  // nghttp2 would let the ping overtake it.
  pump_heads();
  ping_awaited_ = kDrainPing;
  ping_sent_at_ = loop_.now();
  std::uint8_t opaque[8];
  std::memcpy(opaque, &ping_awaited_, sizeof opaque);
  std::ignore = nghttp2_submit_ping(session_.get(), NGHTTP2_FLAG_NONE, opaque);
  recheck_.notify();
  flush_soon();
}

void Connection::end_drain() {
  const std::int32_t last = nghttp2_session_get_last_proc_stream_id(session_.get());
  std::ignore =
      nghttp2_submit_goaway(session_.get(), NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, nullptr, 0);
  flush_soon();
}

}  // namespace aquifer::http2
