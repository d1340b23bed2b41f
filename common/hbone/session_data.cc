// DATA: checked by its header, then handed through in the pieces it comes in.
//
// Cost of one frame of 16 KiB that lies whole in the input: a 9-byte decode, one look-up (the same
// stream as last time: one compare), two window subtractions, one virtual call with a view; about
// 40 ns. No byte of payload is read or copied.
#include "common/hbone/session.h"

#include <algorithm>
#include <utility>

namespace aquifer::hbone {

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
