// Frames that steer the connection: SETTINGS, PING, GOAWAY, WINDOW_UPDATE, RST_STREAM, PRIORITY
// (RFC 9113 section 6).
#include "common/hbone/session.h"

#include <algorithm>

namespace aquifer::hbone {

Status Session::recv_settings(ByteView payload) {
  TRY_VOID(admit(Flood::settings));
  Settings next = peer_;
  for (; !payload.empty(); payload = payload.subspan(6)) {
    const std::uint16_t id = load16(payload.data());
    const ErrorCode error = apply_setting(next, id, load32(payload.data() + 2));
    if (error != ErrorCode::no_error) return fail_connection(error, "setting out of range");
    // RFC 7541 section 4.2: a changed table size is confirmed in our next header block, even if it
    // stays 0.
    if (id == static_cast<std::uint16_t>(SettingId::header_table_size)) table_update_due_ = true;
  }
  // RFC 9113 section 6.5.2: a server never allows push.
  if (config_.role == Role::client && next.enable_push != 0 &&
      next.enable_push != peer_.enable_push) {
    return fail_connection(ErrorCode::protocol_error, "server enables push");
  }
  const std::int64_t delta = std::int64_t{next.initial_window_size} - peer_.initial_window_size;
  peer_ = next;
  peer_settings_seen_ = true;
  (void)begin_frame({.length = 0, .type = FrameType::settings, .flags = flag::kAck});
  if (delta != 0) TRY_VOID(change_initial_window(delta));
  events_.on_settings();
  return {};
}

/// RFC 9113 section 6.9.2: all open streams move by the difference, below zero if need be.
Status Session::change_initial_window(std::int64_t delta) {
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    Stream& stream = *(streams_.begin() + static_cast<std::ptrdiff_t>(i))->stream;
    if (stream.closed()) continue;
    switch (stream.send_.add(delta)) {
      case SendWindow::Change::overflow:
        return fail_connection(ErrorCode::flow_control_error,
                               "initial window overflows a stream's");
      case SendWindow::Change::opened:
        if (!stream.internal_ && !stream.released_ && !stream.local_ended_)
          events_.on_window(stream);
        break;
      case SendWindow::Change::unchanged: break;
    }
  }
  return {};
}

Status Session::recv_settings_ack() {
  TRY_VOID(admit(Flood::settings));
  if (local_settings_acked_) return {};
  local_settings_acked_ = true;
  decoder_.settings_acked();
  const std::int64_t delta = std::int64_t{config_.local.initial_window_size} - kDefaultWindow;
  for (const auto& entry : streams_) entry.stream->receive_.rebase(delta);
  events_.on_settings_ack();
  return {};
}

Status Session::recv_ping(ByteView payload) {
  const std::uint64_t opaque = load64(payload.data());
  if (frame_.has(flag::kAck)) {
    TRY_VOID(admit(Flood::ping));
    events_.on_ping_ack(opaque);
    return {};
  }
  TRY_VOID(admit(Flood::ping));
  store64(begin_frame({.length = 8, .type = FrameType::ping, .flags = flag::kAck}), opaque);
  return {};
}

Status Session::recv_goaway(ByteView payload) {
  TRY_VOID(admit(Flood::other));
  goaway_received_ = true;
  // A peer may lower it, never raise it (RFC 9113 section 6.8).
  goaway_received_id_ = std::min(goaway_received_id_, load32(payload.data()) & kStreamIdMax);
  const auto code = static_cast<ErrorCode>(load32(payload.data() + 4));
  for (std::size_t i = 0; config_.role == Role::client && i < streams_.size(); ++i) {
    Stream& stream = *(streams_.begin() + static_cast<std::ptrdiff_t>(i))->stream;
    if (stream.id() <= goaway_received_id_ || stream.closed()) continue;
    // Never looked at by the peer; no RST_STREAM is owed for what does not exist there.
    stream.reset_ = true;
    stream_closed(stream, ClosedHow::reset);
    if (!stream.released_) events_.on_reset(stream, ErrorCode::refused_stream);
  }
  events_.on_goaway(goaway_received_id_, code);
  return {};
}

Status Session::recv_window_update(ByteView payload) {
  TRY_VOID(admit(Flood::window_update));
  const std::uint32_t id = frame_.stream_id;
  const std::uint32_t increment = load32(payload.data()) & kStreamIdMax;
  if (id == 0) {
    if (increment == 0)
      return fail_connection(ErrorCode::protocol_error, "WINDOW_UPDATE by nothing");
    const std::size_t before = send_.usable();
    if (send_.add(increment) == SendWindow::Change::overflow)
      return fail_connection(ErrorCode::flow_control_error, "connection's send window overflows");
    send_window_seen_ = std::max(send_window_seen_, send_.usable());
    // For small senders it opens at nothing, for the others at what is kept from them.
    const bool opened = before == 0 && send_.usable() > 0;
    const std::size_t kept = kept_from_bulk();
    if (opened || (before <= kept && send_.usable() > kept)) events_.on_connection_window();
    return {};
  }
  if (is_idle(id))
    return fail_connection(ErrorCode::protocol_error, "WINDOW_UPDATE on an idle stream");
  Stream* const stream = streams_.find(id);
  // Credit for a stream that ended meanwhile is normal.
  if (stream == nullptr || stream->closed()) return {};
  if (increment == 0) return violation(id, ErrorCode::protocol_error);
  switch (stream->send_.add(increment)) {
    case SendWindow::Change::overflow: return violation(id, ErrorCode::flow_control_error);
    case SendWindow::Change::opened:
      if (!stream->internal_ && !stream->released_ && !stream->local_ended_)
        events_.on_window(*stream);
      break;
    case SendWindow::Change::unchanged: break;
  }
  return {};
}

Status Session::recv_rst_stream(ByteView payload) {
  const std::uint32_t id = frame_.stream_id;
  if (is_idle(id))
    return fail_connection(ErrorCode::protocol_error, "RST_STREAM on an idle stream");
  Stream* const stream = streams_.find(id);
  if (stream == nullptr || stream->closed()) return admit(Flood::other);
  // What costs us is work begun for a request whose answer nobody waits for.
  if (config_.role == Role::server && !stream->answered_) TRY_VOID(admit(Flood::early_reset));
  stream->reset_ = true;
  stream_closed(*stream, ClosedHow::ended);
  if (stream->internal_) {
    destroy(*stream);
  } else if (!stream->released_) {
    events_.on_reset(*stream, static_cast<ErrorCode>(load32(payload.data())));
  }
  return {};
}

/// Deprecated (RFC 9113 section 5.3.2): checked for the one thing that is an error, otherwise
/// ignored.
Status Session::recv_priority(ByteView payload) {
  TRY_VOID(admit(Flood::other));
  const std::uint32_t id = frame_.stream_id;
  if (payload.empty()) {
    if (!is_idle(id)) return violation(id, ErrorCode::frame_size_error);
    // No stream to reset.
    return fail_connection(ErrorCode::frame_size_error, "PRIORITY of a wrong size");
  }
  if ((load32(payload.data()) & kStreamIdMax) != id) return {};
  if (streams_.find(id) == nullptr)
    return fail_connection(ErrorCode::protocol_error, "stream depends on itself");
  return violation(id, ErrorCode::protocol_error);
}

}  // namespace aquifer::hbone
