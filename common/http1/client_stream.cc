#include "common/http1/client_stream.h"

#include "common/base/assert.h"

#include <utility>

namespace aquifer::http1 {
namespace {

constexpr std::size_t kReadBytes = 64 * 1024;

}  // namespace

ClientStream::~ClientStream() {
  const bool whole = connection_.answer_ended_ && connection_.request_ended_ && !switched_;
  if (!whole) {
    connection_.broken_ = true;
    connection_.stream_->abort();
  }
  connection_.busy_ = false;
}

coro::Task<Result<http::ResponseHead>> ClientStream::response(coro::CancelSource* cancel) {
  for (;;) {
    auto step = co_await connection_.step(cancel);
    if (!step) {
      Error error = step.error();
      // A kept connection that ends before a byte of the answer: the server closed it while the
      // request was on its way.
      const bool stale =
          connection_.requests_ > 1 && !connection_.answer_begun_ && error.code != Errc::cancelled;
      co_return std::unexpected(stale ? error.retryable() : error);
    }
    // The end of an interim response.
    if (step->event == Event::end) continue;
    AQUIFER_ASSERT(step->event == Event::head);
    const bool bodyless = connection_.decoder_.bodyless();
    http::ResponseHead head = std::move(connection_.decoder_.head());
    switched_ = connection_.decoder_.switches();
    if (switched_ && !connection_.may_switch_) {
      connection_.broken_ = true;
      co_return std::unexpected(
          Error(Errc::protocol, ErrorSource::upstream,
                "reading a response: another protocol, which nobody asked for"));
    }
    const bool interim = head.status < 200 && !switched_;
    head.fields.remove("content-length");
    http::remove_hop_by_hop(head.fields);
    if (!interim) {
      // What follows without waiting may be the end already: then nobody needs to ask for a body.
      if (bodyless && !switched_) {
        auto end = co_await connection_.step(cancel);
        if (!end) co_return std::unexpected(end.error());
        AQUIFER_ASSERT(end->event == Event::end);
        connection_.answer_ended_ = true;
      }
    }
    co_return std::move(head);
  }
}

coro::Task<Result<io::Buffer>> ClientStream::read(coro::CancelSource* cancel) {
  if (connection_.answer_ended_) co_return io::Buffer();
  // Bytes of another protocol: what came behind the head first.
  if (connection_.decoder_.upgraded()) {
    if (!connection_.input_.empty()) co_return std::exchange(connection_.input_, io::Buffer());
    CO_TRY(io::Buffer bytes, co_await connection_.stream_->read(kReadBytes, cancel));
    if (bytes.empty()) connection_.answer_ended_ = true;
    co_return std::move(bytes);
  }
  CO_TRY(const Step step, co_await connection_.step(cancel));
  if (step.event == Event::body) co_return connection_.take_body(step);
  AQUIFER_ASSERT(step.event == Event::end);
  if (connection_.decoder_.upgraded()) {
    auto bytes = co_await read(cancel);
    co_return bytes;
  }
  connection_.answer_ended_ = true;
  co_return io::Buffer();
}

coro::Task<Result<std::size_t>> ClientStream::writable(coro::CancelSource* cancel) {
  auto room = co_await connection_.stream_->writable(cancel);
  co_return room;
}

Status ClientStream::write(io::Buffer bytes) {
  if (switched_) return connection_.stream_->write(std::move(bytes));
  return writer_.write(std::move(bytes));
}

Status ClientStream::finish(const HeaderFields& trailers) {
  if (switched_) return connection_.stream_->shutdown_write();
  // A body shorter than was promised leaves the connection in the middle of it.
  TRY_VOID(writer_.finish(trailers));
  connection_.request_ended_ = true;
  return {};
}

void ClientStream::abort(http::Abort) noexcept {
  connection_.broken_ = true;
  connection_.stream_->abort();
}

}  // namespace aquifer::http1
