// Heads on their way out, and the framing of everything else.
#include "common/http2/connection.h"
#include "common/http2/events.h"
#include "common/http2/head_writer.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>

namespace aquifer::http2 {
namespace {

HeadWriter& writer() {
  thread_local HeadWriter one;
  return one;
}

constexpr Error kGone = Error(Errc::closed, "the stream has ended");

}  // namespace

void Connection::pump() {
  if (parting_) return;
  while (out_.size() < kOutMark) {
    const std::uint8_t* bytes = nullptr;
    const ssize_t size = nghttp2_session_mem_send(session_.get(), &bytes);
    // Only memory can be lacking, and then nothing goes on.
    AQUIFER_ASSERT(size >= 0);
    if (size > 0) {
      out_.append({bytes, static_cast<std::size_t>(size)});
    } else if (half_open_.empty() || out_.size() >= kOutMark) {
      return;
    } else {
      reset_half_open();
    }
  }
}

// Until the last head is framed and not further, so that a body that follows at once needs no
// second try.
void Connection::pump_heads() {
  pushing_heads_ = true;
  while (nghttp2_session_get_outbound_queue_size(session_.get()) > 0) {
    const std::uint8_t* bytes = nullptr;
    const ssize_t size = nghttp2_session_mem_send(session_.get(), &bytes);
    AQUIFER_ASSERT(size >= 0);
    if (size == 0) break;
    out_.append({bytes, static_cast<std::size_t>(size)});
  }
  pushing_heads_ = false;
  flush_soon();
}

// RFC 9113 section 8.1: the answer is out, the rest of the request is not wanted.
void Connection::reset_half_open() {
  for (const std::int32_t id : half_open_) {
    auto* stream = static_cast<Stream*>(nghttp2_session_get_stream_user_data(session_.get(), id));
    if (stream == nullptr || stream->held || stream->remote_ended) continue;
    reset(*stream, NGHTTP2_NO_ERROR);
  }
  half_open_.clear();
}

Status Connection::send_inform(Stream& stream, const http::ResponseHead& head) {
  AQUIFER_ASSERT(!stream.head_sent);
  if (stream.failed) return std::unexpected(*stream.failed);
  if (head.status < 100 || head.status > 199 || head.status == 101)
    return aquifer::fail(Errc::invalid, "an interim response that HTTP/2 does not have");
  const auto fields = writer().response(head, head.status, HeadWriter::Length::leave_out);
  if (nghttp2_submit_headers(session_.get(), NGHTTP2_FLAG_NONE, stream.id, nullptr, fields.data(),
                             fields.size(), nullptr) != 0)
    return std::unexpected(kGone);
  pump_heads();
  return {};
}

Status Connection::send_response(Stream& stream, const http::ResponseHead& head, http::End end) {
  AQUIFER_ASSERT(!stream.head_sent);
  if (stream.failed) return std::unexpected(*stream.failed);
  const bool upgrade = stream.kind == Stream::Kind::extended_connect;
  const bool success = head.status / 100 == 2;
  if (head.status < 200 && !(head.status == 101 && upgrade))
    return aquifer::fail(Errc::invalid, "a final response that HTTP/2 does not have");
  int status = head.status;
  if (upgrade) {
    // RFC 8441 section 5: 200 stands for 101. A server that ignored the upgrade and answered the
    // GET would seem to have agreed.
    status = status == 101 ? 200 : success ? 502 : status;
  }
  const bool tunnel = (stream.kind == Stream::Kind::connect && success) || head.status == 101;
  stream.bodyless =
      !tunnel && (stream.kind == Stream::Kind::head || status == 204 || status == 304);
  const bool length = !tunnel && status != 204;
  const auto fields = writer().response(
      head, status, length ? HeadWriter::Length::say : HeadWriter::Length::leave_out);
  const bool ends = end == http::End::yes || stream.bodyless;
  const int submitted = nghttp2_submit_response(session_.get(), stream.id, fields.data(),
                                                fields.size(), ends ? nullptr : &Events::body());
  if (submitted != 0) return std::unexpected(kGone);
  stream.head_sent = true;
  stream.finished = end == http::End::yes;
  if (ends) {
    stream.end_passed = true;
  } else if (!tunnel) {
    stream.promised = head.content_length;
  }
  pump_heads();
  return {};
}

void Connection::answer_too_large() {
  if (too_large_.empty()) return;
  http::ResponseHead head;
  head.status = 431;
  head.content_length = 0;
  for (const std::int32_t id : too_large_) {
    auto* stream = static_cast<Stream*>(nghttp2_session_get_stream_user_data(session_.get(), id));
    if (stream != nullptr && send_response(*stream, head, http::End::yes)) leave_half_open(*stream);
  }
  too_large_.clear();
}

Status Connection::send_request(Stream& stream, const http::RequestHead& head, http::End end) {
  const auto fields = writer().request(head);
  const bool ends = end == http::End::yes;
  const std::int32_t id =
      nghttp2_submit_request(session_.get(), nullptr, fields.data(), fields.size(),
                             ends ? nullptr : &Events::body(), &stream);
  if (id < 0) return std::unexpected(kGone.retryable());
  if (!head.upgrade.empty()) {
    stream.kind = Stream::Kind::extended_connect;
  } else if (head.method == "CONNECT") {
    stream.kind = Stream::Kind::connect;
  } else {
    stream.promised = ends ? std::nullopt : head.content_length;
  }
  stream.finished = stream.end_passed = ends;
  opened_id_ = id;
  attach(stream, id);
  pump_heads();
  // Whoever opens asked whether there is room. Were there none, the head would be looked at later,
  // when its memory is gone.
  if (nghttp2_session_get_outbound_queue_size(session_.get()) == 0) return {};
  terminate(NGHTTP2_INTERNAL_ERROR);
  return std::unexpected(kGone.retryable());
}

}  // namespace aquifer::http2
