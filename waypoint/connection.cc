#include "waypoint/connection.h"

#include "common/base/log.h"
#include "common/http1/server_connection.h"
#include "common/http2/server_connection.h"
#include "common/io/expiry.h"
#include "waypoint/placement.h"
#include "waypoint/request_metrics.h"
#include "waypoint/request_record.h"
#include "waypoint/tcp_connection.h"
#include "waypoint/worker.h"

#include <chrono>
#include <utility>

namespace aquifer::waypoint {
namespace {

constexpr std::size_t kFirstReadBytes = 64 * 1024;

// Envoy's words for what it could not read.
const char* details_of_unread(int status) noexcept {
  if (status == 408) return "request_header_timeout";
  return status == 431 ? "http1.headers_too_large" : "http1.codec_error";
}

}  // namespace

coro::Task<void> Connection::run(l7::ChainPtr chain, coro::CancelSource* cancel) {
  l7::Protocol protocol = chain->protocol;
  const bool http = protocol == l7::Protocol::http1 || protocol == l7::Protocol::http2;
  if (protocol != l7::Protocol::tcp) {
    // Where HTTP is sure, its version is looked at all the same, and silence is only a client that
    // has not asked yet.
    const Deadline deadline =
        http ? Deadline::never() : worker_.loop.after(worker_.node.settings.detection_timeout);
    auto spoken = co_await detect(deadline, cancel);
    if (!spoken) co_return;  // gone before it said anything
    const bool may_be_http = http || protocol == l7::Protocol::detect;
    if (may_be_http && *spoken == Spoken::http1) protocol = l7::Protocol::http1;
    if (may_be_http && *spoken == Spoken::http2) protocol = l7::Protocol::http2;
    if (http && *spoken == Spoken::other) protocol = l7::Protocol::http1;  // which refuses it
  }
  switch (protocol) {
    case l7::Protocol::http1: co_await serve_http1(cancel); break;
    case l7::Protocol::http2: co_await serve_http2(cancel); break;
    case l7::Protocol::detect:
    case l7::Protocol::tcp:
    case l7::Protocol::tls: {
      TcpConnection tcp(worker_, downstream_, stream_);
      co_await tcp.run(std::move(chain), std::move(first_), cancel);
      break;
    }
  }
}

// Silence counts as an answer: a server that speaks first must not wait for a client that waits for
// it.
coro::Task<Result<Spoken>> Connection::detect(Deadline deadline, coro::CancelSource* cancel) {
  for (;;) {
    const Spoken spoken = what_is_spoken(first_.view());
    if (spoken != Spoken::need_more) co_return spoken;
    // Who has begun goes on, as with the rest of a head.
    if (deadline.is_never() && !first_.empty())
      deadline = worker_.loop.after(worker_.node.settings.head_timeout);
    auto more = co_await io::read_before(worker_.loop, stream_, kFirstReadBytes, deadline, cancel);
    if (!more && more.error().code == Errc::timed_out) co_return Spoken::other;
    if (!more) co_return std::unexpected(more.error());
    if (more->empty()) co_return Spoken::other;
    if (first_.empty()) {
      first_ = std::move(*more);
      continue;
    }
    io::Buffer joined = io::Buffer::allocate(first_.size() + more->size());
    std::ranges::copy(first_.view(), joined.tail().begin());
    joined.grow(first_.size());
    std::ranges::copy(more->view(), joined.tail().begin());
    joined.grow(more->size());
    first_ = std::move(joined);
  }
}

coro::Task<void> Connection::serve_http1(coro::CancelSource* cancel) {
  http1::ServerOptions options;
  options.head_max = worker_.node.settings.head_timeout;
  http1::ServerConnection connection(worker_.loop, stream_, std::move(first_), options);
  const DrainHook drain(worker_.drains, connection);
  for (;;) {
    if (worker_.draining) connection.drain();
    auto request = co_await connection.next(cancel);
    if (!request) {
      const int status = connection.refuse(request.error());
      if (status != 0) tell_of_unread(request.error(), status);
      co_return;
    }
    if (*request == nullptr) co_return;
    co_await serve_request(worker_, downstream_, std::move(*request), cancel);
    const bool another = co_await connection.finish_request(cancel);
    if (!another) co_return;
  }
}

// A request that never became one: whoever asks why it was refused finds a line all the same.
void Connection::tell_of_unread(const Error& error, int status) {
  RequestRecord record;
  record.started_at = std::chrono::system_clock::now();
  record.started = worker_.loop.now();
  record.downstream = downstream_;
  record.phase = Phase::answering;
  record.status = status;
  record.flags.set(Flag::downstream_protocol_error);
  record.details = details_of_unread(status);
  record.connection_details = error.context;
  worker_.node.metrics.finish(worker_, std::move(record));
}

coro::Task<void> Connection::serve_http2(coro::CancelSource* cancel) {
  auto serve = [this, cancel](std::unique_ptr<http::ServerStream> stream) {
    return serve_request(worker_, downstream_, std::move(stream), cancel);
  };
  http2::ServerConnection connection(worker_.loop, stream_, serve);
  const DrainHook drain(worker_.drains, connection);
  co_await connection.run(std::move(first_), cancel);
}

}  // namespace aquifer::waypoint
