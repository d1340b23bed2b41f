#include "common/admin/server.h"

#include "common/base/log.h"
#include "common/coro/cancel_link.h"

#include <sys/socket.h>

#include <utility>

namespace aquifer::admin {
namespace {

// After an early refusal the client may still be sending; closing then would reset the connection
// and could cost it the answer. So its bytes are thrown away for a moment.
constexpr auto kLingerMax = std::chrono::seconds(1);
constexpr std::size_t kLingerBytesMax = 256 * 1024;

// Up to this the head and the body go out in one send.
constexpr std::size_t kJoinedBodyMax = 16 * 1024;

// Requests are small; a pipeline of them is read as it is answered.
constexpr std::uint32_t kReceiveBytesMax = 16 * 1024;

// Whoever waits for it is told that a body is welcome.
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace

Result<Fd> listen_tcp(const SocketAddress& address, const io::ListenOptions& options) {
  TRY(Fd fd, io::tcp_socket(address.ip.is_v4() ? AF_INET : AF_INET6));
  TRY_VOID(io::listen_on(fd.get(), address, options));
  return fd;
}

struct AdminServer::Connection {
  io::Socket socket;
  http1::RequestReader reader;
  std::string pending;  // received behind the request that is being answered
  Connection(io::Loop& loop, Fd fd, const http1::Limits& limits)
      : socket(loop, std::move(fd)), reader(limits) {}
};

AdminServer::AdminServer(io::Loop& loop, Fd listener, const Router& router, ServerLimits limits)
    : loop_(loop), listener_(loop, std::move(listener)), router_(router), limits_(limits) {}

Result<SocketAddress> AdminServer::address() const {
  SockaddrStorage storage;
  storage.length = sizeof(storage.storage);
  if (::getsockname(listener_.fd(), storage.get(), &storage.length) != 0) {
    return fail(error_from_errno(errno, "asking for the admin server's address"));
  }
  auto address = storage.to_address();
  if (!address) return fail(Errc::invalid, "asking for the admin server's address");
  return *address;
}

coro::Task<void> AdminServer::run() {
  for (;;) {
    auto fd = co_await listener_.accept();
    if (!fd) break;
    if (scope_.running() >= limits_.connections_max) {
      log::debug("admin", "connection closed: {} are open", limits_.connections_max);
      continue;
    }
    scope_.spawn(serve(std::move(*fd)));
  }
  scope_.cancel();
  co_await scope_.join();
}

coro::Task<void> AdminServer::stop() {
  co_await listener_.stop();
}

// The life of a connection.
coro::Task<void> AdminServer::serve(Fd fd) {
  Connection connection(loop_, std::move(fd), limits_.request);
  for (;;) {
    auto message = co_await read_request(connection);
    if (!message) {
      co_await refuse(connection, message.error());
      co_return;
    }
    http1::RequestHead& head = message->head;
    bool keep_alive = head.keep_alive && !head.upgrade && !scope_.cancel_source().cancelled();
    bool with_body = head.method != "HEAD";
    const http1::Version version = head.version;
    Request request = make_request(std::move(head.method), head.target, std::move(head.fields),
                                   std::move(message->body));
    Response response = co_await router_.answer(std::move(request));
    if (response.source != nullptr) {
      auto streamed = co_await write_stream(connection, response, with_body, version);
      if (streamed) co_await linger(connection);
      co_return;
    }
    auto written = co_await write_response(connection, response, with_body, keep_alive);
    if (!written) co_return;
    if (!keep_alive) {
      co_await linger(connection);
      co_return;
    }
  }
}

// Errors: of the client with a status as detail; timed_out within a request; end_of_stream,
// cancelled or timed_out between requests, where nothing is lost.
coro::Task<Result<http1::RequestMessage>> AdminServer::read_request(Connection& connection) {
  http1::RequestReader& reader = connection.reader;
  if (connection.pending.empty())
    connection.pending.shrink_to_fit();  // idle connections hold no buffer
  Deadline deadline = loop_.after(limits_.idle_max);
  bool begun = false;
  for (;;) {
    CO_TRY(const auto progress, reader.feed(as_bytes(connection.pending)));
    connection.pending.erase(0, progress.consumed);
    if (progress.state == http1::RequestReader::State::complete) co_return reader.take();
    if (progress.state == http1::RequestReader::State::wants_continue) {
      auto sent = co_await connection.socket.send_all(as_bytes(kContinue), deadline);
      CO_TRY_VOID(std::move(sent));
    }
    if (!begun && !reader.between_messages()) {
      begun = true;
      deadline = loop_.after(limits_.request_max);
    }
    // Once a request has begun it is read and answered, also by a server that is asked to stop.
    coro::CancelSource* cancel = begun ? nullptr : &scope_.cancel_source();
    auto received = co_await connection.socket.recv(kReceiveBytesMax, deadline, cancel);
    if (!received) co_return fail(received.error());
    if (received->empty()) co_return fail(Errc::end_of_stream, "reading a request");
    connection.pending.append(as_text(received->view()));
  }
}

coro::Task<Status> AdminServer::write_response(Connection& connection, const Response& response,
                                               bool with_body, bool keep_alive) {
  http1::Fields fields = response.fields;
  fields.add("Content-Type", response.content_type);
  fields.add("Content-Length", std::to_string(response.body.size()));
  fields.add("Connection", keep_alive ? "keep-alive" : "close");
  std::string out;
  CO_TRY_VOID(http1::append_response_head(out, response.status, fields));
  Deadline deadline = loop_.after(limits_.response_max);
  bool joined = with_body && response.body.size() <= kJoinedBodyMax;
  if (joined) out.append(response.body);
  auto sent = co_await connection.socket.send_all(as_bytes(out), deadline);
  CO_TRY_VOID(std::move(sent));
  if (!with_body || joined) co_return Status();
  auto body_sent = co_await connection.socket.send_all(as_bytes(response.body), deadline);
  co_return body_sent;
}

// A body without a known length. The connection ends with it: a client that stops reading in the
// middle has no other way to say so.
coro::Task<Status> AdminServer::write_stream(Connection& connection, const Response& response,
                                             bool with_body, http1::Version version) {
  const bool chunked = version == http1::Version::http_1_1;
  http1::Fields fields = response.fields;
  fields.add("Content-Type", response.content_type);
  if (chunked) fields.add("Transfer-Encoding", "chunked");
  fields.add("Connection", "close");
  std::string out;
  CO_TRY_VOID(http1::append_response_head(out, response.status, fields));
  auto sent = co_await connection.socket.send_all(as_bytes(out), loop_.after(limits_.response_max));
  CO_TRY_VOID(std::move(sent));
  if (!with_body) co_return Status();

  coro::Scope streaming;
  Status result;
  {
    coro::CancelLink link(scope_.cancel_source(), streaming);
    streaming.spawn(watch_for_end(connection, streaming));
    result =
        co_await send_pieces(connection, *response.source, chunked, &streaming.cancel_source());
  }
  streaming.cancel();
  co_await streaming.join();
  co_return result;
}

coro::Task<Status> AdminServer::send_pieces(Connection& connection, BodySource& source,
                                            bool chunked, coro::CancelSource* cancel) {
  for (;;) {
    std::string piece = co_await source.next(cancel);
    const bool last = piece.empty();
    if (last && !chunked) co_return Status();
    std::string out;
    if (last) {
      http1::append_last_chunk(out);
    } else if (chunked) {
      http1::append_chunk(out, as_bytes(piece));
    } else {
      out = std::move(piece);
    }
    // Each piece has its time: a stream may be as long as it likes, a client may not stand still.
    const Deadline deadline = loop_.after(limits_.response_max);
    auto sent = co_await connection.socket.send_all(as_bytes(out), deadline);
    if (!sent || last) co_return sent;
    // One that stops leaves a long answer unfinished, which the missing last chunk says.
    if (scope_.cancel_source().cancelled()) co_return fail(Errc::cancelled, "sending a stream");
    // Making the next piece takes a while: others first.
    co_await io::yield();
  }
}

// What a client sends while it is answered is not read by anybody; its end, and its reset, are what
// is waited for.
coro::Task<void> AdminServer::watch_for_end(Connection& connection, coro::Scope& streaming) {
  for (std::size_t dropped = 0; dropped < kLingerBytesMax;) {
    auto received = co_await connection.socket.recv(kReceiveBytesMax, Deadline::never(),
                                                    &streaming.cancel_source());
    if (!received || received->empty()) break;
    dropped += received->size();
  }
  streaming.cancel();
}

coro::Task<void> AdminServer::refuse(Connection& connection, Error error) {
  bool of_request = error.source == ErrorSource::downstream && error.detail >= 400;
  if (error.code == Errc::timed_out && !connection.reader.between_messages()) {
    error = Error(Errc::timed_out, ErrorSource::downstream,
                  "reading a request: it did not come in time")
                .with_detail(408);
    of_request = true;
  }
  if (!of_request) co_return;
  log::debug("admin", "request refused: {}", error.context);
  Response response = Response::text(error.detail, std::string(error.context) + "\n");
  auto written = co_await write_response(connection, response, true, false);
  if (written) co_await linger(connection);
}

coro::Task<void> AdminServer::linger(Connection& connection) {
  if (!connection.socket.shutdown_write()) co_return;
  Deadline deadline = loop_.after(kLingerMax);
  for (std::size_t dropped = 0; dropped < kLingerBytesMax;) {
    auto received =
        co_await connection.socket.recv(kReceiveBytesMax, deadline, &scope_.cancel_source());
    if (!received || received->empty()) co_return;
    dropped += received->size();
  }
}

}  // namespace aquifer::admin
