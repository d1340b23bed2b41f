// Header blocks: gathering them, requests (server), answers (client), trailers (RFC 9113
// sections 4.3, 6.2, 6.10, 8).
#include "common/base/assert.h"
#include "common/hbone/session.h"

#include <utility>

namespace aquifer::hbone {

Status Session::recv_headers(ByteView payload) {
  std::size_t padding = 0;
  if (frame_.has(flag::kPadded)) {
    if (payload.empty())
      return fail_connection(ErrorCode::frame_size_error, "padding without its length");
    padding = payload.front();
    payload = payload.subspan(1);
  }
  header_self_dependent_ = false;
  if (frame_.has(flag::kPriority)) {
    if (payload.size() < 5)
      return fail_connection(ErrorCode::frame_size_error, "HEADERS too short for its priority");
    header_self_dependent_ = (load32(payload.data()) & kStreamIdMax) == frame_.stream_id;
    payload = payload.subspan(5);
  }
  if (padding > payload.size())
    return fail_connection(ErrorCode::protocol_error, "padding longer than its frame");
  payload = payload.first(payload.size() - padding);
  header_stream_ = frame_.stream_id;
  header_ends_stream_ = frame_.has(flag::kEndStream);
  continuations_ = 0;
  if (frame_.has(flag::kEndHeaders)) return recv_block(payload);
  header_block_.assign(as_text(payload));
  return {};
}

Status Session::recv_continuation(ByteView payload) {
  if (++continuations_ > kContinuationsMax) {
    return fail_connection(ErrorCode::enhance_your_calm, "too many CONTINUATION frames");
  }
  header_block_.append(as_text(payload));
  if (!frame_.has(flag::kEndHeaders)) return {};
  const std::string block = std::exchange(header_block_, {});
  return recv_block(as_bytes(block));
}

/// A whole block. It is decoded whatever becomes of its stream, because decoding may have state.
Status Session::recv_block(ByteView block) {
  const std::uint32_t id = std::exchange(header_stream_, 0);
  const bool is_new = is_idle(id);
  Stream* const stream = is_new ? nullptr : streams_.find(id);
  auto kind = HeaderValidator::Kind::trailers;
  if (is_new) kind = HeaderValidator::Kind::request;
  if (config_.role == Role::client && stream != nullptr && !stream->answered_)
    kind = HeaderValidator::Kind::response;
  HeaderValidator head(kind);
  const auto outcome = decoder_.decode(block, config_.local.max_header_list_size, head);
  if (outcome == HeaderDecoder::Outcome::error) {
    return fail_connection(ErrorCode::compression_error, "header block cannot be decoded");
  }
  if (is_new) return recv_request(id, head, outcome);
  if (stream != nullptr && !stream->closed()) return recv_stream_head(*stream, head, outcome);
  switch (closed_.how(id)) {
    case ClosedHow::reset: return admit(Flood::other);
    case ClosedHow::unknown:
      return fail_connection(ErrorCode::protocol_error, "new stream below an older one");
    case ClosedHow::open:
    case ClosedHow::ended: break;
  }
  return fail_connection(ErrorCode::stream_closed, "HEADERS on a closed stream");
}

Status Session::recv_request(std::uint32_t id, HeaderValidator& head,
                             HeaderDecoder::Outcome outcome) {
  last_peer_id_ = id;
  closed_.opened(id);
  if (id > goaway_sent_id_) {
    // Opened before the peer saw our GOAWAY: it knows from that that nothing will come of it.
    closed_.closed(id, ClosedHow::reset);
    return admit(Flood::other);
  }
  // Streams that wait for their owner's release hold memory too.
  const std::uint32_t allowed = config_.local.max_concurrent_streams;
  if (open_streams_ >= allowed || streams_.size() / 2 >= allowed)
    return violation(id, ErrorCode::refused_stream);
  const Verdict verdict = head.finish();
  const bool too_large = outcome == HeaderDecoder::Outcome::too_large;
  if (header_self_dependent_ || (verdict == Verdict::malformed && !too_large)) {
    return violation(id, ErrorCode::protocol_error);
  }
  Stream& stream = add_stream(id);
  if (too_large || verdict != Verdict::ok) {
    stream.content_left_ = head.content_length();
    return refuse_internally(stream, too_large ? 431 : 400);
  }
  events_.on_request(stream, std::move(head.request()));
  return header_ends_stream_ && !stream.closed() ? end_remote(stream) : Status{};
}

/// A valid request that is no CONNECT, or one of too many words: answered here, its payload is
/// thrown away.
Status Session::refuse_internally(Stream& stream, int status) {
  stream.internal_ = true;
  stream.answered_ = true;
  std::array<char, 3> status_text;
  std::array<HeaderField, kHeaderFieldsMax> fields;
  const ConnectResponse response{.status = status};
  const std::size_t count = build_response(response, status_text, fields);
  const std::uint32_t id = stream.id();
  if (!write_headers(id, std::span(fields).first(count), EndStream::yes)) {
    return violation(id, ErrorCode::refused_stream);
  }
  end_local(stream);
  return header_ends_stream_ ? end_remote(stream) : Status{};
}

/// A second header list of a request (trailers), or a head of an answer, or its trailers.
Status Session::recv_stream_head(Stream& stream, HeaderValidator& head,
                                 HeaderDecoder::Outcome outcome) {
  if (stream.remote_ended_) return violation(stream.id(), ErrorCode::stream_closed);
  const Verdict verdict = head.finish();
  const bool too_large = outcome == HeaderDecoder::Outcome::too_large;
  if (header_self_dependent_ || (verdict == Verdict::malformed && !too_large)) {
    return violation(stream.id(), ErrorCode::protocol_error);
  }
  if (config_.role == Role::client && !stream.answered_) {
    if (too_large) return violation(stream.id(), ErrorCode::enhance_your_calm);
    if (verdict == Verdict::other) {
      // Informational: another head follows, so it cannot be the end (RFC 9113 section 8.1).
      return header_ends_stream_ ? violation(stream.id(), ErrorCode::protocol_error)
                                 : admit(Flood::other);
    }
    stream.answered_ = true;
    if (!stream.released_) events_.on_response(stream, std::move(head.response()));
    return header_ends_stream_ && !stream.closed() ? end_remote(stream) : Status{};
  }
  // Trailers mean nothing in a tunnel but its end, and have to be that.
  if (!header_ends_stream_) return violation(stream.id(), ErrorCode::protocol_error);
  return end_remote(stream);
}

}  // namespace aquifer::hbone
