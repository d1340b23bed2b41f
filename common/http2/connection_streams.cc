// The streams of a connection: from new to used again.
#include "common/http2/connection.h"
#include "common/http2/errors.h"

#include <nghttp2/nghttp2.h>

#include <utility>

namespace aquifer::http2 {
namespace {

// Kept for the next requests, with the memory of their heads: what a busy connection has at once.
constexpr std::size_t kSpareMax = 32;
// The memory of larger heads is not kept.
constexpr std::size_t kKeptTextBytes = 1024;
constexpr std::size_t kKeptFieldsBytes = 4096;

void clear(std::string& text) {
  if (text.capacity() > kKeptTextBytes) text = std::string();
  text.clear();
}

void clear(HeaderFields& fields) {
  if (fields.bytes() > kKeptFieldsBytes) fields = HeaderFields();
  fields.clear();
}

}  // namespace

void Stream::reset() {
  clear(request.method);
  clear(request.scheme);
  clear(request.authority);
  clear(request.path);
  clear(request.upgrade);
  request.content_length.reset();
  clear(request.fields);
  interims.clear();
  response = http::ResponseHead();
  clear(trailers);
  inbox.clear();
  outbox.clear();
  clear(last_fields);
  window = 0;
  read_at_width = 0;
  promised.reset();
  failed.reset();
  kind = Kind::plain;
  attached = held = awaits_serve = head_came = head_given = remote_ended = false;
  head_sent = bodyless = finished = end_passed = deferred = false;
}

Stream& Connection::new_stream() {
  if (spare_.empty()) {
    live_.push_back(std::make_unique<Stream>());
  } else {
    live_.push_back(std::move(spare_.back()));
    spare_.pop_back();
  }
  live_.back()->index = live_.size() - 1;
  live_.back()->window = options_.stream_window;
  return *live_.back();
}

void Connection::attach(Stream& stream, std::int32_t id) {
  stream.id = id;
  stream.attached = true;
  ++attached_;
}

void Connection::hold(Stream& stream) noexcept {
  stream.held = true;
  ++held_;
}

void Connection::recycle(Stream& stream) noexcept {
  AQUIFER_DEBUG_ASSERT(!stream.attached && !stream.held && !stream.awaits_serve);
  widened_ -= stream.window - options_.stream_window;
  const std::size_t index = stream.index;
  std::unique_ptr<Stream> owned = std::move(live_[index]);
  if (index + 1 != live_.size()) {
    live_[index] = std::move(live_.back());
    live_[index]->index = index;
  }
  live_.pop_back();
  if (spare_.size() >= kSpareMax) return;
  owned->reset();
  spare_.push_back(std::move(owned));
}

void Connection::reset(Stream& stream, std::uint32_t code) noexcept {
  if (!stream.attached || ended_) return;
  std::ignore = nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, stream.id, code);
  flush_soon();
}

void Connection::fail(Stream& stream, Error error) noexcept {
  if (!stream.failed) stream.failed = error;
  stream.outbox.clear();
  stream.readable.notify();
  stream.writable.notify();
  stream.gone.notify();
}

// nghttp2 is done with it: both sides have ended, or one was reset.
void Connection::detach(Stream& stream, std::uint32_t code) noexcept {
  closed_.close(stream.id,
                stream.complete() ? ClosedStreams::How::ended : ClosedStreams::How::reset_by_us);
  if (!stream.complete() || code != NGHTTP2_NO_ERROR) {
    // Whoever makes us begin and never lets us end is counted; we are not, when we give it up.
    const bool ours = stream.failed || (!stream.held && !stream.awaits_serve);
    if (role_ == Role::server && !stream.finished && (!ours || code == NGHTTP2_PROTOCOL_ERROR))
      count(Flood::early_reset);
    fail(stream, error_of(code, peer_source()));
  }
  stream.attached = false;
  if (stream.awaits_serve) --awaiting_;
  if (--attached_ == 0) idle_since_ = loop_.now();
  if (!stream.held && !stream.awaits_serve) recycle(stream);
}

// Its holder has destroyed the handle.
void Connection::release(Stream& stream) noexcept {
  stream.held = false;
  --held_;
  if (!stream.attached) {
    recycle(stream);
  } else if (role_ == Role::client) {
    if (!stream.complete()) reset(stream, NGHTTP2_CANCEL);
  } else if (!stream.finished) {
    reset(stream, NGHTTP2_INTERNAL_ERROR);
  } else {
    // The answer is on its way. What the client still sends is let in and dropped until it is out.
    consumed(stream, stream.inbox.size());
    stream.inbox.clear();
    if (stream.end_passed) leave_half_open(stream);
  }
  if (held_ == 0) streams_gone_.notify();
}

void Connection::leave_half_open(Stream& stream) {
  if (stream.remote_ended || stream.held) return;
  half_open_.push_back(stream.id);
  flush_soon();
}

// DATA or HEADERS of a client.
void Connection::act_on(ClosedStreams::Verdict verdict, std::int32_t id) noexcept {
  switch (verdict) {
    case ClosedStreams::Verdict::fine: return;
    case ClosedStreams::Verdict::never_opened: broken_ = NGHTTP2_PROTOCOL_ERROR; return;
    case ClosedStreams::Verdict::after_the_end: broken_ = NGHTTP2_STREAM_CLOSED; return;
    case ClosedStreams::Verdict::after_reset:
      count(Flood::other);
      late_frames_.push_back(id);
      return;
  }
}

void Connection::count(Flood kind) noexcept {
  if (!tripped_ && !floods_.admit(kind, now_ms_)) tripped_ = kind;
}

}  // namespace aquifer::http2
