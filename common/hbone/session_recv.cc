// The parser: from bytes, split anywhere, to whole frames; DATA goes through without being
// gathered.
//
// Cost of one DATA frame of 16 KiB that lies whole in the input: a 9-byte decode, one look-up (the
// same stream as last time: one compare), two window subtractions, one virtual call with a view. No
// byte of payload is read or copied.
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

/// All that can be said from a frame's header alone: lengths (RFC 9113 section 4.2) and stream ids
/// (section 6).
Status Session::begin_payload() {
  const auto protocol_error = [this](const char* what) {
    return fail_connection(ErrorCode::protocol_error, what);
  };
  const auto size_error = [this](const char* what) {
    return fail_connection(ErrorCode::frame_size_error, what);
  };
  if (frame_.length > config_.local.max_frame_size) return size_error("frame larger than we allow");
  if (!peer_settings_seen_ && (frame_.type != FrameType::settings || frame_.has(flag::kAck))) {
    return protocol_error("first frame is not SETTINGS");
  }
  if (header_stream_ != 0 &&
      (frame_.type != FrameType::continuation || frame_.stream_id != header_stream_)) {
    return protocol_error("header block interrupted");
  }
  left_ = frame_.length;
  padding_ = 0;
  const bool on_connection = frame_.stream_id == 0;
  switch (frame_.type) {
    case FrameType::data: return begin_data();
    case FrameType::headers:
      // Clients open odd streams (RFC 9113 section 5.1.1); servers open none, as we allow no push.
      if (on_connection || (is_idle(frame_.stream_id) &&
                            (config_.role == Role::client || is_local_id(frame_.stream_id)))) {
        return protocol_error("HEADERS on a stream nobody can open");
      }
      if (frame_.length > config_.local.max_header_list_size + kHeaderFrameSlack) {
        return fail_connection(ErrorCode::enhance_your_calm, "header block too large");
      }
      break;
    case FrameType::priority:
      if (on_connection) return protocol_error("PRIORITY without a stream");
      if (frame_.length != 5 && is_idle(frame_.stream_id))
        return size_error("PRIORITY of a wrong size");
      if (frame_.length != 5) {
        TRY_VOID(violation(frame_.stream_id, ErrorCode::frame_size_error));
        std::swap(left_, padding_);
        stage_ = padding_ > 0 ? Stage::skip : Stage::header;
        return {};
      }
      break;
    case FrameType::rst_stream:
      if (on_connection) return protocol_error("RST_STREAM without a stream");
      if (frame_.length != 4) return size_error("RST_STREAM of a wrong size");
      break;
    case FrameType::settings:
      if (!on_connection) return protocol_error("SETTINGS on a stream");
      if (frame_.length % 6 != 0) return size_error("SETTINGS of a wrong size");
      if (frame_.has(flag::kAck) && frame_.length != 0)
        return size_error("SETTINGS acknowledgement with content");
      if (frame_.length > kSettingsPerFrameMax * 6) {
        return fail_connection(ErrorCode::enhance_your_calm, "too many settings");
      }
      break;
    case FrameType::push_promise: return protocol_error("PUSH_PROMISE is not allowed here");
    case FrameType::ping:
      if (!on_connection) return protocol_error("PING on a stream");
      if (frame_.length != 8) return size_error("PING of a wrong size");
      break;
    case FrameType::goaway:
      if (!on_connection) return protocol_error("GOAWAY on a stream");
      if (frame_.length < 8) return size_error("GOAWAY of a wrong size");
      // Its debug data is nobody's business.
      left_ = 8;
      padding_ = frame_.length - 8;
      break;
    case FrameType::window_update:
      if (frame_.length != 4) return size_error("WINDOW_UPDATE of a wrong size");
      break;
    case FrameType::continuation:
      if (header_stream_ == 0) return protocol_error("CONTINUATION without HEADERS");
      if (frame_.length + header_block_.size() >
          config_.local.max_header_list_size + kHeaderFrameSlack) {
        return fail_connection(ErrorCode::enhance_your_calm, "header block too large");
      }
      break;
    default:
      // RFC 9113 section 5.5: unknown types are passed over.
      TRY_VOID(admit(Flood::other));
      padding_ = frame_.length;
      stage_ = padding_ > 0 ? Stage::skip : Stage::header;
      return {};
  }
  if (left_ == 0) return dispatch({});
  stage_ = Stage::payload;
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

/// RFC 9113 sections 5.1 and 6.1: who may send DATA where. Whatever is wrong with the stream, its
/// bytes count for the connection's window.
Status Session::begin_data() {
  const std::uint32_t id = frame_.stream_id;
  if (id == 0) return fail_connection(ErrorCode::protocol_error, "DATA without a stream");
  if (is_idle(id)) return fail_connection(ErrorCode::protocol_error, "DATA on an idle stream");
  if (!receive_.spend(frame_.length)) {
    return fail_connection(ErrorCode::flow_control_error, "more DATA than the connection's window");
  }
  Stream* const stream = streams_.find(id);
  data_stream_ = nullptr;
  if (stream == nullptr || stream->closed()) {
    switch (closed_.how(id)) {
      case ClosedHow::reset: TRY_VOID(admit(Flood::other)); break;
      case ClosedHow::unknown:
        return fail_connection(ErrorCode::protocol_error, "DATA on a stream that was skipped");
      case ClosedHow::open:
      case ClosedHow::ended:
        return fail_connection(ErrorCode::stream_closed, "DATA on a closed stream");
    }
  } else if (stream->remote_ended_) {
    TRY_VOID(violation(id, ErrorCode::stream_closed));
  } else if (config_.role == Role::client && !stream->answered_) {
    TRY_VOID(violation(id, ErrorCode::protocol_error));
  } else if (!stream->receive_.spend(frame_.length)) {
    TRY_VOID(violation(id, ErrorCode::flow_control_error));
  } else {
    data_stream_ = stream;
  }
  if (frame_.has(flag::kPadded)) {
    if (frame_.length == 0)
      return fail_connection(ErrorCode::frame_size_error, "padding without its length");
    stage_ = Stage::pad_length;
    return {};
  }
  if (left_ == 0) {
    if (!frame_.has(flag::kEndStream)) TRY_VOID(admit(Flood::empty_data));
    stage_ = Stage::header;
    return finish_data();
  }
  stage_ = Stage::data;
  return {};
}

Status Session::parse_pad_length(ByteView& in) {
  const std::uint32_t padding = in.front();
  in = in.subspan(1);
  // RFC 9113 section 6.1.
  if (padding >= frame_.length)
    return fail_connection(ErrorCode::protocol_error, "padding longer than its frame");
  padding_ = padding;
  left_ = frame_.length - 1 - padding;
  if (left_ > 0) {
    stage_ = Stage::data;
    return {};
  }
  if (!frame_.has(flag::kEndStream)) TRY_VOID(admit(Flood::empty_data));
  stage_ = padding_ > 0 ? Stage::skip : Stage::header;
  return padding_ > 0 ? Status{} : finish_data();
}

Status Session::parse_data(ByteView& in) {
  const std::size_t size = std::min<std::size_t>(in.size(), left_);
  const ByteView piece = in.first(size);
  in = in.subspan(size);
  left_ -= static_cast<std::uint32_t>(size);
  if (left_ == 0) stage_ = padding_ > 0 ? Stage::skip : Stage::header;
  TRY_VOID(deliver(piece));
  return stage_ == Stage::header ? finish_data() : Status{};
}

Status Session::deliver(ByteView piece) {
  Stream* const stream = data_stream_;
  // Thrown away: a stream that is not there, was reset meanwhile, or has no owner any more. Its
  // bytes were debited and are not kept, so the connection's window comes back by itself.
  if (stream == nullptr || stream->reset_ || stream->released_) return {};
  const auto bytes = static_cast<std::uint32_t>(piece.size());
  if (stream->internal_) {
    if (stream->content_left_ >= 0) {
      if (stream->content_left_ < bytes) return violation(stream->id(), ErrorCode::protocol_error);
      stream->content_left_ -= bytes;
    }
    if (const std::uint32_t credit = stream->receive_.take_credit(); credit > 0) {
      write_window_update(stream->id(), credit);
    }
    return {};
  }
  // Counted as kept first, so that the owner may call drained() from inside the event.
  stream->receive_.keep(bytes);
  receive_.keep(bytes);
  const std::size_t done = events_.on_data(*stream, piece);
  if (done > 0 && !stream->released_) drain_stream(*stream, done);
  return {};
}

Status Session::finish_data() {
  Stream* const stream = std::exchange(data_stream_, nullptr);
  if (stream == nullptr || stream->closed() || stream->released_) return {};
  if (frame_.has(flag::kEndStream)) return end_remote(*stream);
  // Padding is not kept by anybody: it is due at once.
  if (frame_.has(flag::kPadded)) credit_stream(*stream);
  return {};
}

}  // namespace aquifer::hbone
