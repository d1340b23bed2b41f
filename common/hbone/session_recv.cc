// The parser: from bytes, split anywhere, to whole frames. DATA is passed on as it comes, see
// session_data.cc.
#include "common/base/assert.h"
#include "common/hbone/session.h"

#include <algorithm>
#include <utility>

namespace aquifer::hbone {
namespace {

/// Room for a header block's frame beyond the list it decodes to: padding (255), priority (5) and
/// table updates.
constexpr std::uint32_t kHeaderFrameSlack = 512;

}  // namespace

/// Milliseconds in 32 bits: only differences are used, and those of less than 24 days.
void Session::set_now(MonoTime now) noexcept {
  now_ms_ = static_cast<std::uint32_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count());
}

Status Session::receive(ByteView plaintext, MonoTime now) {
  if (failed_) return fail(Errc::protocol, error_what_);
  AQUIFER_ASSERT(!receiving_);
  set_now(now);
  receiving_ = true;
  Status status;
  while (status && !plaintext.empty()) status = parse(plaintext);
  receiving_ = false;
  if (sweep_due_) sweep();
  // Once for all frames of one read, not once a frame.
  if (status) replenish_connection();
  return status;
}

Status Session::parse(ByteView& in) {
  switch (stage_) {
    case Stage::preface: return parse_preface(in);
    case Stage::header: return parse_header(in);
    case Stage::payload: return parse_payload(in);
    case Stage::pad_length: return parse_pad_length(in);
    case Stage::data: return parse_data(in);
    case Stage::skip: {
      const std::size_t size = std::min<std::size_t>(in.size(), padding_);
      in = in.subspan(size);
      padding_ -= static_cast<std::uint32_t>(size);
      if (padding_ > 0) return {};
      stage_ = Stage::header;
      return frame_.type == FrameType::data ? finish_data() : Status{};
    }
  }
  return {};
}

Status Session::parse_preface(ByteView& in) {
  const std::size_t size = std::min(in.size(), kClientPreface.size() - preface_size_);
  if (as_text(in.first(size)) != kClientPreface.substr(preface_size_, size)) {
    return fail_connection(ErrorCode::protocol_error, "no HTTP/2 preface");
  }
  in = in.subspan(size);
  preface_size_ = static_cast<std::uint8_t>(preface_size_ + size);
  if (preface_size_ == kClientPreface.size()) stage_ = Stage::header;
  return {};
}

Status Session::parse_header(ByteView& in) {
  if (partial_size_ == 0 && in.size() >= kFrameHeaderBytes) [[likely]] {
    frame_ = decode_frame_header(in.data());
    in = in.subspan(kFrameHeaderBytes);
    return begin_payload();
  }
  const std::size_t size = std::min(in.size(), kFrameHeaderBytes - partial_size_);
  std::copy_n(in.data(), size, partial_.data() + partial_size_);
  in = in.subspan(size);
  partial_size_ = static_cast<std::uint8_t>(partial_size_ + size);
  if (partial_size_ < kFrameHeaderBytes) return {};
  partial_size_ = 0;
  frame_ = decode_frame_header(partial_.data());
  return begin_payload();
}

/// What can be said from a frame's header alone, for all types.
Status Session::begin_payload() {
  if (frame_.length > config_.local.max_frame_size) {
    return fail_connection(ErrorCode::frame_size_error, "frame larger than we allow");
  }
  if (!peer_settings_seen_ && (frame_.type != FrameType::settings || frame_.has(flag::kAck))) {
    return fail_connection(ErrorCode::protocol_error, "first frame is not SETTINGS");
  }
  if (header_stream_ != 0 &&
      (frame_.type != FrameType::continuation || frame_.stream_id != header_stream_)) {
    return fail_connection(ErrorCode::protocol_error, "header block interrupted");
  }
  left_ = frame_.length;
  padding_ = 0;
  if (frame_.type == FrameType::data) return begin_data();
  if (frame_.type > FrameType::continuation) {
    // RFC 9113 section 5.5: unknown types are passed over.
    TRY_VOID(admit(Flood::other));
    padding_ = std::exchange(left_, 0);
    stage_ = padding_ > 0 ? Stage::skip : Stage::header;
    return {};
  }
  TRY_VOID(check_stream_id());
  TRY_VOID(check_length());
  if (left_ == 0) return dispatch({});
  stage_ = Stage::payload;
  return {};
}

/// RFC 9113 section 6, type by type: which frames belong to a stream and which to the connection.
Status Session::check_stream_id() {
  const bool on_connection = frame_.stream_id == 0;
  const char* wrong = nullptr;
  switch (frame_.type) {
    case FrameType::headers:
      // Clients open odd streams (section 5.1.1); servers open none, as we allow no push.
      if (on_connection || (is_idle(frame_.stream_id) &&
                            (config_.role == Role::client || is_local_id(frame_.stream_id)))) {
        wrong = "HEADERS on a stream nobody can open";
      }
      break;
    case FrameType::priority:
    case FrameType::rst_stream:
      if (on_connection) wrong = "PRIORITY or RST_STREAM without a stream";
      break;
    case FrameType::settings:
    case FrameType::ping:
    case FrameType::goaway:
      if (!on_connection) wrong = "SETTINGS, PING or GOAWAY on a stream";
      break;
    case FrameType::push_promise: wrong = "PUSH_PROMISE is not allowed here"; break;
    case FrameType::continuation:
      if (header_stream_ == 0) wrong = "CONTINUATION without HEADERS";
      break;
    case FrameType::window_update:
    case FrameType::data: break;
  }
  return wrong == nullptr ? Status{} : fail_connection(ErrorCode::protocol_error, wrong);
}

/// RFC 9113 section 6, type by type: lengths; and our own bounds on what is gathered before it is
/// handled.
Status Session::check_length() {
  const std::uint32_t length = frame_.length;
  bool right = true;
  bool bearable = true;
  switch (frame_.type) {
    case FrameType::headers:
    case FrameType::continuation:
      bearable =
          length + header_block_.size() <= config_.local.max_header_list_size + kHeaderFrameSlack;
      break;
    case FrameType::priority:
      // A stream's error, not the connection's: recv_priority() finds it empty.
      if (length != 5) padding_ = std::exchange(left_, 0);
      break;
    case FrameType::settings:
      right = frame_.has(flag::kAck) ? length == 0 : length % 6 == 0;
      bearable = length <= kSettingsPerFrameMax * 6;
      break;
    case FrameType::ping: right = length == 8; break;
    case FrameType::goaway:
      right = length >= 8;
      // Its debug data is nobody's business.
      if (right) {
        left_ = 8;
        padding_ = length - 8;
      }
      break;
    case FrameType::rst_stream:
    case FrameType::window_update: right = length == 4; break;
    case FrameType::push_promise:
    case FrameType::data: break;
  }
  if (!right) return fail_connection(ErrorCode::frame_size_error, "frame of a wrong size");
  if (!bearable)
    return fail_connection(ErrorCode::enhance_your_calm, "header block or SETTINGS too large");
  return {};
}

/// Frames that are handled whole are at most a header block long; they lie whole in the input
/// nearly always.
Status Session::parse_payload(ByteView& in) {
  const std::size_t size = std::min<std::size_t>(in.size(), left_);
  const ByteView piece = in.first(size);
  in = in.subspan(size);
  if (pending_.empty() && size == left_) {
    left_ = 0;
    return dispatch(piece);
  }
  pending_.append(as_text(piece));
  left_ -= static_cast<std::uint32_t>(size);
  if (left_ > 0) return {};
  const std::string whole = std::exchange(pending_, {});
  return dispatch(as_bytes(whole));
}

Status Session::dispatch(ByteView payload) {
  stage_ = padding_ > 0 ? Stage::skip : Stage::header;
  switch (frame_.type) {
    case FrameType::headers: return recv_headers(payload);
    case FrameType::priority: return recv_priority(payload);
    case FrameType::rst_stream: return recv_rst_stream(payload);
    case FrameType::settings:
      return frame_.has(flag::kAck) ? recv_settings_ack() : recv_settings(payload);
    case FrameType::ping: return recv_ping(payload);
    case FrameType::goaway: return recv_goaway(payload);
    case FrameType::window_update: return recv_window_update(payload);
    case FrameType::continuation: return recv_continuation(payload);
    case FrameType::data:
    case FrameType::push_promise: break;
  }
  return {};
}

}  // namespace aquifer::hbone
