// A request whose client is on one loop and which is served on another: here both are one, which
// changes nothing of what is said between them.
#include "waypoint/handoff.h"

#include "common/http1/server_connection.h"
#include "tests/unit/common/http1/http1_fixture.h"

namespace aquifer::waypoint {
namespace {

using http1::testing::heard;
using http1::testing::rest_of;
using http1::testing::run;
using http1::testing::say;
using http2::testing::MemoryStream;

http::ResponseHead answer(int status) {
  http::ResponseHead head;
  head.status = status;
  return head;
}

using Serve = coro::Task<void> (*)(std::unique_ptr<http::ServerStream> stream);

/// What the client hears when `serve` has served what it said.
coro::Task<void> exchange(io::Loop& loop, std::string said, std::string expected, Serve serve) {
  auto [client, server] = MemoryStream::pair();
  say(*client, said);
  coro::Scope scope;
  {
    http1::ServerConnection connection(loop, *server, io::Buffer());
    auto stream = co_await connection.next(nullptr);
    REQUIRE(stream.has_value());
    auto handoff = std::make_shared<Handoff>(loop, loop, (*stream)->request(), (*stream)->ended());
    scope.spawn(serve(serving_side(handoff)));
    co_await relay(handoff, **stream, &scope.cancel_source());
    co_await scope.join();
    stream->reset();
  }
  const std::string text = co_await heard(*client);
  CHECK(text == expected);
}

coro::Task<void> echo(std::unique_ptr<http::ServerStream> stream) {
  REQUIRE(stream->respond(answer(200), http::End::no));
  for (;;) {
    const auto room = co_await stream->writable(nullptr);
    if (!room) co_return;
    auto bytes = co_await stream->read(nullptr);
    REQUIRE(bytes.has_value());
    if (bytes->empty()) break;
    REQUIRE(stream->write(std::move(*bytes)));
  }
  REQUIRE(stream->finish({{"x-sum", "1"}}));
}

TEST_CASE("body, answer and trailers cross, in their order") {
  run(exchange, std::string("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"),
      std::string("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx-sum: "
                  "1\r\n\r\n"),
      &echo);
}

coro::Task<void> nothing(std::unique_ptr<http::ServerStream> stream) {
  CHECK(stream->ended());
  stream->abort(http::Abort::internal_error);
  co_return;
}

TEST_CASE("a request that is thrown away ends its client's connection without an answer") {
  run(exchange, std::string("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), std::string(), &nothing);
}

coro::Task<void> watch_until(http::ServerStream& stream, coro::CancelSource* cancel) {
  const Error error = co_await stream.failure(cancel);
  CHECK(error.code == Errc::cancelled);
}

coro::Task<void> talk(std::unique_ptr<http::ServerStream> stream) {
  // Looked at while the server was asked, as an exchange does; then it is read.
  coro::CancelSource stop;
  coro::Scope watch;
  watch.spawn(watch_until(*stream, &stop));
  stop.cancel();
  co_await watch.join();
  REQUIRE(stream->respond(answer(101), http::End::no));
  std::string all;
  while (all != "early") {
    const auto bytes = co_await stream->read(nullptr);
    REQUIRE(bytes.has_value());
    REQUIRE_FALSE(bytes->empty());
    all.append(as_text(bytes->view()));
  }
  REQUIRE(stream->write(io::Buffer::copy_of(as_bytes(all))));
  REQUIRE(stream->finish({}));
}

TEST_CASE("after 101 bytes cross both ways, those that came early too") {
  run(exchange,
      std::string(
          "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: chess\r\n\r\nearly"),
      std::string(
          "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: chess\r\n\r\nearly"),
      &talk);
}

coro::Task<void> expects_failure(std::unique_ptr<http::ServerStream> stream) {
  const auto bytes = co_await stream->read(nullptr);
  REQUIRE_FALSE(bytes.has_value());
  CHECK(bytes.error().detail == 400);
  CHECK(bytes.error().source == ErrorSource::downstream);
  http::ResponseHead head = answer(400);
  REQUIRE(stream->respond(head, http::End::yes));
}

TEST_CASE("a malformed body fails on the other loop, which may still answer it") {
  run(exchange,
      std::string("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
      std::string("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"),
      &expects_failure);
}

coro::Task<void> fills(std::unique_ptr<http::ServerStream> stream) {
  REQUIRE(stream->respond(answer(200), http::End::no));
  std::size_t taken = 0;
  const std::string piece(16 * 1024, 'x');
  coro::CancelSource stop;
  stop.cancel();
  // Nobody reads: room ends after what a pipe holds.
  for (;;) {
    const auto room = co_await stream->writable(&stop);
    if (!room) break;
    REQUIRE(stream->write(io::Buffer::copy_of(as_bytes(piece))));
    taken += piece.size();
    REQUIRE(taken < 1 << 20);
  }
  CHECK(taken >= LoopPipe<ToClient>::kBytesMax);
  stream->abort(http::Abort::cancelled);
}

coro::Task<void> stalls(io::Loop& loop) {
  http::RequestHead head;
  head.method = "GET";
  auto handoff = std::make_shared<Handoff>(loop, loop, std::move(head), true);
  co_await fills(serving_side(handoff));
}

TEST_CASE("a client that does not read stops the server's side after what one pipe holds") {
  run(stalls);
}

}  // namespace
}  // namespace aquifer::waypoint
