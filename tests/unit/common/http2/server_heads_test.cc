// How heads are told and said by a server, seen by a client that speaks frames by hand.
#include "common/http2/server_connection.h"
#include "tests/unit/common/http2/served.h"

namespace aquifer::http2::testing {
namespace {

coro::Task<void> cookies(io::Loop& loop) {
  Served served;
  RawClient client;
  client.start(loop, keeping(served));
  client.peer->send(headers(
      1,
      get_block() + block({{"cookie", "a=1"}, {"x", "y"}, {"cookie", "b=2"}, {"cookie", "c=3"}})));
  client.peer->send(headers(
      3, block({{":method", "OPTIONS"}, {":scheme", "HTTPS"}, {":path", "*"}, {"host", "b:80"}})));
  co_await settle(*client.peer);
  REQUIRE(served.held.size() == 2);
  CHECK(served.held[0]->request().fields == HeaderFields{{"x", "y"}, {"cookie", "a=1; b=2; c=3"}});
  CHECK(served.held[1]->request().authority == "b:80");
  CHECK(served.held[1]->request().path == "*");
  CHECK(served.held[1]->request().scheme == "https");
  CHECK(served.held[1]->request().fields.empty());
  served.held.clear();
  co_await client.finish();
}

TEST_CASE("crumbs of cookies become one field, and Host stands in for :authority") {
  run(cookies);
}

coro::Task<void> bodyless(io::Loop& loop) {
  Served served;
  RawClient client;
  client.start(loop, keeping(served));
  client.peer->send(headers(
      1, block({{":method", "HEAD"}, {":scheme", "http"}, {":authority", "a"}, {":path", "/"}})));
  client.peer->send(headers(3, get_block()) + headers(5, get_block()));
  co_await settle(*client.peer);
  REQUIRE(served.held.size() == 3);
  const int statuses[] = {200, 204, 304};
  for (std::size_t i = 0; i < 3; ++i) {
    http::ResponseHead head = answer(statuses[i]);
    head.content_length = 7;
    http::ServerStream& stream = *served.held[i];
    // Whoever writes a body all the same sends none.
    REQUIRE(stream.respond(head, http::End::no));
    CHECK(stream.write(io::Buffer::copy_of(as_bytes("nothing"))));
    CHECK(stream.finish({}));
    const Frame told = co_await client.peer->next_of(kHeaders);
    CHECK(told.stream == 2 * i + 1);
    CHECK(told.ends());
  }
  served.held.clear();
  co_await client.finish();
}

TEST_CASE("answers to HEAD, 204 and 304 end with their heads") {
  run(bodyless);
}

coro::Task<void> extended(io::Loop& loop) {
  Served served;
  RawClient client;
  client.start(loop, keeping(served));
  const Frame settings = co_await client.peer->next_of(kSettings);
  CHECK(settings.payload.find(std::string("\0\x08\0\0\0\x01", 6)) != std::string::npos);
  const std::string head = block({{":method", "CONNECT"},
                                  {":protocol", "websocket"},
                                  {":scheme", "https"},
                                  {":authority", "a"},
                                  {":path", "/chat"}});
  client.peer->send(headers(1, head, 0) + headers(3, head, 0) + frame(kData, 0, 1, "ping"));
  co_await settle(*client.peer);
  REQUIRE(served.held.size() == 2);
  http::ServerStream& stream = *served.held[0];
  CHECK(stream.request().method == "GET");
  CHECK(stream.request().upgrade == "websocket");
  CHECK(stream.request().path == "/chat");
  http::ResponseHead switching = answer(101);
  switching.fields = {{"connection", "upgrade"}, {"upgrade", "websocket"}, {"x", "y"}};
  REQUIRE(stream.respond(switching, http::End::no));
  REQUIRE(stream.write(io::Buffer::copy_of(as_bytes("pong"))));
  const Frame told = co_await client.peer->next_of(kHeaders);
  CHECK(told.payload == "\x88@\x01x\x01y");  // RFC 7541: 200, then a new name
  const Frame data = co_await client.peer->next_of(kData);
  CHECK(data.payload == "pong");
  CHECK(!data.ends());
  auto heard = co_await stream.read(nullptr);
  REQUIRE(heard.has_value());
  CHECK(as_text(heard->view()) == "ping");
  // A server that ignored the upgrade must not seem to have agreed.
  REQUIRE(served.held[1]->respond(answer(200), http::End::yes));
  const Frame ignored = co_await client.peer->next_of(kHeaders);
  CHECK(ignored.payload == "\x48\x82\x6c\x02");  // 502
  served.held.clear();
  heard->release();
  co_await client.finish();
}

TEST_CASE(
    "an extended CONNECT is told as the GET it stands for, and 101 is said as 200 (RFC 8441)") {
  run(extended);
}

coro::Task<void> connects(io::Loop& loop) {
  Served served;
  RawClient client;
  client.start(loop, keeping(served));
  client.peer->send(headers(1, block({{":method", "CONNECT"}, {":authority", "a:1"}}), 0));
  co_await settle(*client.peer);
  REQUIRE(served.held.size() == 1);
  http::ServerStream& stream = *served.held[0];
  CHECK(stream.request().method == "CONNECT");
  CHECK(stream.request().authority == "a:1");
  CHECK(stream.request().path.empty());
  http::ResponseHead head = answer();
  head.content_length = 3;  // means nothing here (RFC 9110 section 9.3.6)
  REQUIRE(stream.respond(head, http::End::no));
  REQUIRE(stream.write(io::Buffer::copy_of(as_bytes("more than three"))));
  REQUIRE(stream.finish({}));
  const Frame told = co_await client.peer->next_of(kHeaders);
  CHECK(told.payload == "\x88");
  const Frame data = co_await client.peer->next_of(kData);
  CHECK(data.ends());
  // The client's half goes on.
  client.peer->send(frame(kData, kEndStream, 1, "bye"));
  const auto rest = co_await read_all(stream);
  REQUIRE(rest.has_value());
  CHECK(*rest == "bye");
  served.held.clear();
  co_await client.finish();
}

TEST_CASE("after a CONNECT bytes flow both ways until both sides have finished") {
  run(connects);
}

}  // namespace
}  // namespace aquifer::http2::testing
