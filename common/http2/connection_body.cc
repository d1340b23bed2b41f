// Bodies, as those who hold a stream read and write them.
#include "common/http2/connection.h"
#include "common/http2/errors.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <utility>

namespace aquifer::http2 {
namespace {

// What read() gives at most: as much as an outbox takes.
constexpr std::size_t kReadMax = std::size_t{64} * 1024;
// Written chunks up to this size are copied at once, to share a frame with what follows; larger
// ones are framed at once.
constexpr std::size_t kPackMax = 2048;

constexpr Error kAborted = Error(Errc::closed, ErrorSource::internal, "aborted");
constexpr Error kLength =
    Error(Errc::protocol, ErrorSource::internal, "a body that is not as long as its head says");

}  // namespace

coro::Task<Result<io::Buffer>> Connection::read(Stream& stream, coro::CancelSource* cancel) {
  for (;;) {
    if (!stream.inbox.empty()) {
      io::Buffer piece = stream.inbox.take(kReadMax);
      consumed(stream, piece.size());
      widen(stream, piece.size());
      co_return std::move(piece);
    }
    if (stream.remote_ended) co_return io::Buffer();
    if (stream.failed) co_return std::unexpected(*stream.failed);
    const Status woken = co_await stream.readable.wait(cancel);
    if (!woken) co_return std::unexpected(woken.error());
  }
}

void Connection::consumed(Stream& stream, std::size_t bytes) noexcept {
  if (!stream.attached || stream.remote_ended || ended_ || bytes == 0) return;
  std::ignore = nghttp2_session_consume_stream(session_.get(), stream.id, bytes);
  flush_soon();
}

// A reader that keeps up for two windows is worth a larger one: the round trip is what limits it.
void Connection::widen(Stream& stream, std::size_t bytes) noexcept {
  stream.read_at_width += bytes;
  if (stream.read_at_width < 2 * std::size_t{stream.window} || !stream.inbox.empty()) return;
  stream.read_at_width = 0;
  const std::uint32_t wider = std::min(2 * stream.window, options_.stream_window_max);
  if (wider <= stream.window || !stream.attached || stream.remote_ended || ended_) return;
  const std::uint32_t gain = wider - stream.window;
  if (widened_ + gain > options_.window_growth_max) return;
  const int done = nghttp2_session_set_local_window_size(
      session_.get(), NGHTTP2_FLAG_NONE, stream.id, static_cast<std::int32_t>(wider));
  if (done != 0) return;
  stream.window = wider;
  widened_ += gain;
}

coro::Task<Result<std::size_t>> Connection::writable(Stream& stream, coro::CancelSource* cancel) {
  for (;;) {
    if (stream.failed) co_return std::unexpected(*stream.failed);
    // Not for every frame that leaves: half of it at a time.
    if (stream.outbox.size() <= options_.outbox_max / 2)
      co_return options_.outbox_max - stream.outbox.size();
    const Status woken = co_await stream.writable.wait(cancel);
    if (!woken) co_return std::unexpected(woken.error());
  }
}

Status Connection::write(Stream& stream, io::Buffer bytes) {
  if (stream.failed) return std::unexpected(*stream.failed);
  AQUIFER_ASSERT(!stream.finished || stream.bodyless);
  if (bytes.empty() || stream.bodyless) return {};
  if (stream.promised) {
    if (bytes.size() > *stream.promised) {
      abort(stream, http::Abort::internal_error);
      return std::unexpected(kLength);
    }
    *stream.promised -= bytes.size();
  }
  const bool first = stream.outbox.empty();
  if (first && bytes.size() > kPackMax) {
    stream.outbox.append(std::move(bytes));
    resume(stream);
    pump();
    // What could not be framed waits for the peer: in memory of its own, since the buffer may be
    // leased from those that the loop receives into.
    if (!stream.outbox.empty()) {
      const io::Buffer rest = stream.outbox.take(SIZE_MAX);
      stream.outbox.append(io::Buffer::copy_of(rest.view()));
    }
  } else if (first || bytes.size() > kPackMax) {
    stream.outbox.append(io::Buffer::copy_of(bytes.view()));
    resume(stream);
  } else {
    stream.outbox.append(bytes.view());
  }
  flush_soon();
  return {};
}

Status Connection::finish(Stream& stream, const HeaderFields& trailers) {
  if (stream.failed) return std::unexpected(*stream.failed);
  AQUIFER_ASSERT(!stream.finished);
  if (stream.promised && *stream.promised != 0) {
    abort(stream, http::Abort::internal_error);
    return std::unexpected(kLength);
  }
  stream.finished = true;
  if (stream.bodyless) return {};
  if (!trailers.empty()) stream.last_fields = trailers;
  resume(stream);
  flush_soon();
  return {};
}

void Connection::abort(Stream& stream, http::Abort why) noexcept {
  if (stream.failed) return;
  reset(stream, code_of(why));
  fail(stream, kAborted);
}

coro::Task<Error> Connection::failure(Stream& stream, coro::CancelSource* cancel) {
  while (!stream.failed) {
    const Status woken = co_await stream.gone.wait(cancel);
    if (!woken) co_return woken.error();
  }
  co_return *stream.failed;
}

// nghttp2 asks again for bytes of this stream.
void Connection::resume(Stream& stream) noexcept {
  if (!stream.deferred || !stream.attached || ended_) return;
  stream.deferred = false;
  std::ignore = nghttp2_session_resume_data(session_.get(), stream.id);
}

}  // namespace aquifer::http2
