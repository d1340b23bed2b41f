#include "common/http1/server_stream.h"

#include "common/http1/message.h"

#include <string>
#include <utility>

namespace aquifer::http1 {
namespace {

constexpr std::size_t kReadBytes = 64 * 1024;

constexpr Error kAborted = Error(Errc::closed, ErrorSource::internal, "aborted");

// How a client that never asks twice tells the end of a body without a length: by the connection's.
BodyWriter::Framing unknown_length(http::Version client) noexcept {
  return client == http::Version::http_1_0 ? BodyWriter::Framing::raw
                                           : BodyWriter::Framing::chunked;
}

void append_line(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append("\r\n");
}

}  // namespace

ServerStream::~ServerStream() {
  // An answer that stops in the middle must not look like a whole one.
  if (!connection_.answer_ended_ && responded_ && !aborted_) abort(http::Abort::cancelled);
  if (!connection_.answer_ended_) connection_.broken_ = true;
}

coro::Task<Result<io::Buffer>> ServerStream::read(coro::CancelSource* cancel) {
  if (aborted_) co_return std::unexpected(kAborted);
  if (switched_) {
    auto bytes = co_await read_raw(cancel);
    co_return bytes;
  }
  if (connection_.request_ended_) co_return io::Buffer();
  CO_TRY_VOID(say_continue());
  CO_TRY(const Step step, co_await connection_.step(Deadline::never(), cancel));
  if (step.event == Event::body) co_return connection_.take_body(step);
  AQUIFER_ASSERT(step.event == Event::end);
  connection_.request_ended_ = true;
  co_return io::Buffer();
}

coro::Task<Result<io::Buffer>> ServerStream::read_raw(coro::CancelSource* cancel) {
  if (!connection_.input_.empty()) co_return std::exchange(connection_.input_, io::Buffer());
  if (connection_.request_ended_) co_return io::Buffer();
  CO_TRY(io::Buffer bytes, co_await connection_.stream_.read(kReadBytes, cancel));
  if (bytes.empty()) connection_.request_ended_ = true;
  co_return std::move(bytes);
}

// RFC 9110 section 10.1.1: the client waits with its body until somebody wants it.
Status ServerStream::say_continue() {
  if (!connection_.expects_continue_ || responded_) return {};
  connection_.expects_continue_ = false;
  return connection_.stream_.write(io::Buffer::copy_of(as_bytes("HTTP/1.1 100 Continue\r\n\r\n")));
}

const HeaderFields& ServerStream::trailers() const noexcept {
  return connection_.parser_.trailers();
}

Status ServerStream::inform(const http::ResponseHead& head) {
  // HTTP/1.0 knows none, and 100 is said when the body is asked for.
  if (aborted_) return std::unexpected(kAborted);
  if (head_.version == http::Version::http_1_0 || head.status == 100) return {};
  std::string out;
  TRY_VOID(append_response_head(out, head.status, head.fields));
  return connection_.stream_.write(io::Buffer::copy_of(as_bytes(out)));
}

Status ServerStream::respond(const http::ResponseHead& head, http::End end) {
  AQUIFER_ASSERT(!responded_);
  if (aborted_) return std::unexpected(kAborted);
  responded_ = true;
  switched_ = head.status == 101 || (head_.method == "CONNECT" && head.status / 100 == 2);
  // A body that the client was not told to send will not come, but might: the connection ends.
  if (connection_.expects_continue_ && !connection_.request_ended_) connection_.keep_alive_ = false;

  std::string out;
  TRY_VOID(begin_response_head(out, head.status, head.fields));
  auto framing = BodyWriter::Framing::none;
  const bool bodyless = http::has_no_body(head.status, head_.method);
  if (switched_) {
    framing = BodyWriter::Framing::raw;
    connection_.keep_alive_ = false;
    connection_.request_ended_ = false;
    if (head.status == 101) {
      append_line(out, "connection", "Upgrade");
      append_line(out, "upgrade", head_.upgrade);
    }
  } else if (bodyless) {
    if (head.content_length && head.status != 204)
      append_line(out, "content-length", std::to_string(*head.content_length));
  } else if (end == http::End::yes) {
    append_line(out, "content-length", "0");
  } else if (head.content_length) {
    framing = BodyWriter::Framing::length;
    append_line(out, "content-length", std::to_string(*head.content_length));
  } else {
    framing = unknown_length(head_.version);
    if (framing == BodyWriter::Framing::chunked) append_line(out, "transfer-encoding", "chunked");
    if (framing == BodyWriter::Framing::raw) connection_.keep_alive_ = false;
  }
  if (!switched_ && !connection_.keeps_alive()) {
    append_line(out, "connection", "close");
  } else if (!switched_ && head_.version == http::Version::http_1_0) {
    append_line(out, "connection", "keep-alive");
  }
  out.append("\r\n");
  writer_.begin(framing, head.content_length.value_or(0));
  TRY_VOID(connection_.stream_.write(io::Buffer::copy_of(as_bytes(out))));
  if (end == http::End::yes && !switched_) {
    connection_.answer_ended_ = true;
    return writer_.finish({});
  }
  if (writer_.finished()) connection_.answer_ended_ = true;
  return {};
}

coro::Task<Result<std::size_t>> ServerStream::writable(coro::CancelSource* cancel) {
  if (aborted_) co_return std::unexpected(kAborted);
  auto room = co_await writer_.writable(cancel);
  co_return room;
}

Status ServerStream::write(io::Buffer bytes) {
  if (aborted_) return std::unexpected(kAborted);
  return writer_.write(std::move(bytes));
}

Status ServerStream::finish(const HeaderFields& trailers) {
  if (aborted_) return std::unexpected(kAborted);
  // A body shorter than was promised is not an answer: the next one would be read as its rest.
  TRY_VOID(writer_.finish(trailers));
  connection_.answer_ended_ = true;
  if (switched_) return connection_.stream_.shutdown_write();
  return {};
}

void ServerStream::abort(http::Abort) noexcept {
  if (aborted_) return;
  aborted_ = true;
  connection_.broken_ = true;
  connection_.stream_.abort();
}

coro::Task<Error> ServerStream::failure(coro::CancelSource* cancel) {
  AQUIFER_ASSERT(connection_.request_ended_);
  auto error = co_await connection_.stream_.failure(cancel);
  co_return error.from(ErrorSource::downstream);
}

}  // namespace aquifer::http1
