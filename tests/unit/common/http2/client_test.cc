// What a client's streams do, seen by a server that speaks frames by hand.
#include "common/http2/client_connection.h"
#include "tests/unit/common/http2/raw_peer.h"

namespace aquifer::http2::testing {
namespace {

using StreamPtr = std::unique_ptr<http::ClientStream>;

StreamPtr open(RawServer& server, const http::RequestHead& head = get(),
               http::End end = http::End::yes) {
  auto stream = server.client->open(head, end);
  REQUIRE(stream.has_value());
  return std::move(*stream);
}

coro::Task<void> heads(io::Loop& loop) {
  RawServer server;
  server.start(loop);
  http::RequestHead head = post("/p");
  head.content_length = 2;
  head.fields = {{"Host", "other"},  {"Connection", "x-hop"}, {"X-Hop", "1"},
                 {"te", "trailers"}, {"Keep-Alive", "1"},     {"X-Name", "v"}};
  StreamPtr stream = open(server, head, http::End::no);
  const Frame asked = co_await server.peer->next_of(kHeaders);
  CHECK(asked.payload.find("host") == std::string::npos);
  // Indexed and with incremental indexing: the names that were literal are there in lower case.
  CHECK(asked.payload.find("X-") == std::string::npos);
  CHECK(!asked.ends());
  REQUIRE(stream->write(io::Buffer::copy_of(as_bytes("hi"))));
  REQUIRE(stream->finish({}));
  const Frame data = co_await server.peer->next_of(kData);
  CHECK(data.payload == "hi");
  CHECK(data.ends());
  server.peer->send(headers(1, block({{":status", "103"}, {"link", "a"}}), 0));
  server.peer->send(headers(1, block({{":status", "100"}}), 0));
  server.peer->send(headers(
      1,
      block(
          {{":status", "200"}, {"content-length", "2"}, {"set-cookie", "a"}, {"set-cookie", "b"}}),
      0));
  server.peer->send(frame(kData, 0, 1, "ok") + headers(1, block({{"grpc-status", "0"}})));
  auto first = co_await stream->response(nullptr);
  REQUIRE(first.has_value());
  CHECK(first->status == 103);
  CHECK(first->fields == HeaderFields{{"link", "a"}});
  auto second = co_await stream->response(nullptr);
  REQUIRE(second.has_value());
  CHECK(second->status == 100);
  auto last = co_await stream->response(nullptr);
  REQUIRE(last.has_value());
  CHECK(last->status == 200);
  CHECK(last->content_length == 2U);
  CHECK(last->fields == HeaderFields{{"set-cookie", "a"}, {"set-cookie", "b"}});
  const auto body = co_await read_all(*stream);
  REQUIRE(body.has_value());
  CHECK(*body == "ok");
  CHECK(stream->trailers() == HeaderFields{{"grpc-status", "0"}});
  stream.reset();
  co_await server.finish();
}

TEST_CASE("a request is written without what belongs to one hop; interim answers come one by one") {
  run(heads);
}

// As gRPC does to measure the bandwidth.
coro::Task<void> pings_for_data(io::Loop& loop) {
  ClientOptions options;
  options.floods.by_kind[static_cast<std::size_t>(Flood::ping)] = {.burst = 3, .per_second = 0};
  RawServer server;
  server.start(loop, frame(kSettings, 0, 0), options);
  for (std::uint32_t id = 1; id < 100; id += 2) {
    StreamPtr stream = open(server, post(), http::End::no);
    REQUIRE(stream->write(io::Buffer::copy_of(as_bytes("ping me"))));
    REQUIRE(stream->finish({}));
    const Frame asked = co_await server.peer->next_of(kData);
    REQUIRE(asked.stream == id);
    server.peer->send(frame(kPing, 0, 0, "12345678") + headers(id, block({{":status", "200"}})));
    const auto head = co_await stream->response(nullptr);
    REQUIRE(head.has_value());
  }
  co_await server.finish();
}

TEST_CASE("a server may ping for each DATA frame that it got, however many there are") {
  run(pings_for_data);
}

coro::Task<void> fails_with(io::Loop& loop, std::string answered, Errc code, Retry retry) {
  RawServer server;
  server.start(loop);
  StreamPtr stream = open(server);
  const Frame asked = co_await server.peer->next_of(kHeaders);
  CHECK(asked.ends());
  server.peer->send(answered);
  auto head = co_await stream->response(nullptr);
  Error error = head ? Error(Errc::internal) : head.error();
  if (head) {
    const auto body = co_await read_all(*stream);
    REQUIRE(!body.has_value());
    error = body.error();
  }
  CHECK(error.code == code);
  CHECK(error.source == ErrorSource::upstream);
  CHECK(error.retry == retry);
  stream.reset();
  co_await server.finish();
}

TEST_CASE(
    "why an answer will not come is told, and whether the server can have acted on the request") {
  run(fails_with, rst(1, kRefusedStream), Errc::connection_reset, Retry::yes);
  run(fails_with, rst(1, kCancel), Errc::connection_reset, Retry::no);
  run(fails_with, rst(1, kInternalError), Errc::connection_reset, Retry::no);
  run(fails_with, rst(1, kEnhanceYourCalm), Errc::limit, Retry::no);
  run(fails_with, rst(1, kProtocolError), Errc::protocol, Retry::no);
  run(fails_with, frame(kGoaway, 0, 0, std::string(8, '\0')), Errc::connection_reset, Retry::yes);
  run(fails_with, frame(kData, 0, 0, "x"), Errc::protocol, Retry::no);
  const std::string ok = block({{":status", "200"}});
  run(fails_with, headers(1, ok, 0) + rst(1, kNoError), Errc::closed, Retry::no);
  run(fails_with,
      headers(1, ok + block({{"content-length", "3"}}), 0) + frame(kData, kEndStream, 1, "12"),
      Errc::protocol, Retry::no);
  run(fails_with,
      headers(1, ok + block({{"content-length", "3"}}), 0) + frame(kData, kEndStream, 1, "1234"),
      Errc::protocol, Retry::no);
}

TEST_CASE("an answer that breaks a rule is a protocol error of the upstream") {
  using namespace std::string_view_literals;
  const std::pair<std::string_view, std::string_view> ok{":status", "200"};
  const std::string bad[] = {
      block({{"x", "y"}}),
      block({{":status", "20"}}),
      block({{":status", "099"}}),
      block({{":status", "101"}}),
      block({{":status", "abc"}}),
      block({ok, ok}),
      block({ok, {":path", "/"}}),
      block({ok, {"connection", "close"}}),
      block({ok, {"transfer-encoding", "chunked"}}),
      block({ok, {"x", "a\r\nset-cookie: b"}}),
      block({ok, {"x", "a\0b"sv}}),
      block({ok, {"X-Upper", "1"}}),
      block({ok, {"content-length", "1"}, {"content-length", "2"}}),
      block({ok, {"content-length", "-1"}}),
  };
  for (const std::string& head : bad) {
    CAPTURE(head);
    run(fails_with, headers(1, head, 0), Errc::protocol, Retry::no);
  }
  const std::string large(40'000, 'x');
  std::string flood;
  for (int i = 0; i < 20; ++i) flood += headers(1, block({{":status", "103"}}), 0);
  const std::string head = block({ok, {"x", large}, {"y", large}});
  std::string split = frame(kHeaders, 0, 1, std::string_view(head).substr(0, 16384));
  for (std::size_t at = 16384; at < head.size(); at += 16384) {
    const bool last = at + 16384 >= head.size();
    split +=
        frame(kContinuation, last ? kEndHeaders : 0, 1, std::string_view(head).substr(at, 16384));
  }
  run(fails_with, split, Errc::limit, Retry::no);
}

coro::Task<void> interim_flood(io::Loop& loop) {
  RawServer server;
  server.start(loop);
  StreamPtr stream = open(server);
  const Frame asked = co_await server.peer->next_of(kHeaders);
  CHECK(asked.stream == 1);
  std::string flood;
  for (int i = 0; i < 50; ++i) flood += headers(1, block({{":status", "103"}}), 0);
  server.peer->send(flood);
  const Frame told = co_await server.peer->next_of(kRstStream);
  CHECK(told.number() == kEnhanceYourCalm);
  stream.reset();
  co_await server.finish();
}

TEST_CASE("interim answers without end reset their stream") {
  run(interim_flood);
}

coro::Task<void> early_answer(io::Loop& loop) {
  RawServer server;
  server.start(loop);
  StreamPtr stream = open(server, post(), http::End::no);
  const Frame asked = co_await server.peer->next_of(kHeaders);
  CHECK(!asked.ends());
  server.peer->send(headers(1, block({{":status", "413"}}), 0) + frame(kData, kEndStream, 1, "no") +
                    rst(1, kNoError));
  auto head = co_await stream->response(nullptr);
  REQUIRE(head.has_value());
  CHECK(head->status == 413);
  const auto body = co_await read_all(*stream);
  REQUIRE(body.has_value());
  CHECK(*body == "no");
  const auto more = co_await stream->writable(nullptr);
  REQUIRE(!more.has_value());
  CHECK(more.error().code == Errc::closed);
  stream.reset();
  co_await server.finish();
}

TEST_CASE("a server that answers early and wants no more is heard to the end (RFC 9113 8.1)") {
  run(early_answer);
}

coro::Task<void> goaway(io::Loop& loop) {
  RawServer server;
  server.start(loop);
  StreamPtr first = open(server);
  StreamPtr second = open(server);
  const Frame asked = co_await server.peer->next_of(kHeaders);
  CHECK(asked.stream == 1);
  server.peer->send(frame(kGoaway, 0, 0, big_endian(1, 4) + big_endian(kNoError, 4)));
  auto refused = co_await second->response(nullptr);
  REQUIRE(!refused.has_value());
  CHECK(refused.error().retry == Retry::yes);
  CHECK(!server.client->can_open());
  const auto none = server.client->open(get(), http::End::yes);
  REQUIRE(!none.has_value());
  CHECK(none.error().code == Errc::closed);
  CHECK(none.error().retry == Retry::yes);
  server.peer->send(headers(1, block({{":status", "200"}})));
  auto answered = co_await first->response(nullptr);
  CHECK(answered.has_value());
  first.reset();
  second.reset();
  // Nothing is left to be done: the client ends by itself.
  co_await server.peer->to_the_end();
  co_await server.finish();
}

TEST_CASE("after GOAWAY the streams up to the last go on, those above may be retried elsewhere") {
  run(goaway);
}

coro::Task<void> concurrency(io::Loop& loop) {
  RawServer server;
  server.start(loop, setting(3, 2));
  // Its SETTINGS are known once the acknowledgement is out.
  const Frame own = co_await server.peer->next_of(kSettings);
  CHECK(!own.ends());
  const Frame ack = co_await server.peer->next_of(kSettings);
  CHECK((ack.flags & kAck) != 0);
  StreamPtr first = open(server);
  StreamPtr second = open(server);
  CHECK(!server.client->can_open());
  const auto none = server.client->open(get(), http::End::yes);
  REQUIRE(!none.has_value());
  CHECK(none.error().code == Errc::limit);
  CHECK(none.error().retry == Retry::yes);
  server.peer->send(headers(1, block({{":status", "200"}})));
  auto answered = co_await first->response(nullptr);
  CHECK(answered.has_value());
  CHECK(server.client->can_open());
  CHECK(server.client->streams() == 2);
  // Thrown away before its answer.
  second.reset();
  const Frame told = co_await server.peer->next_of(kRstStream);
  CHECK(told.stream == 3);
  CHECK(told.number() == kCancel);
  first.reset();
  co_await server.finish();
}

TEST_CASE("no more streams are opened than the server allows") {
  run(concurrency);
}

coro::Task<void> upgrades(io::Loop& loop) {
  RawServer server;
  server.start(loop, "");
  http::RequestHead head = get("/chat");
  head.upgrade = "websocket";
  const auto refused = server.client->open(head, http::End::no);
  REQUIRE(!refused.has_value());
  CHECK(refused.error().code == Errc::invalid);
  server.peer->send(setting(8, 1));
  const Status settled = co_await server.client->settled(nullptr);
  REQUIRE(settled.has_value());
  REQUIRE(server.client->takes_upgrades());
  StreamPtr stream = open(server, head, http::End::no);
  const Frame asked = co_await server.peer->next_of(kHeaders);
  CHECK(asked.payload.find("/chat") == std::string::npos);  // Huffman
  server.peer->send(headers(1, block({{":status", "200"}}), 0) + frame(kData, 0, 1, "hi"));
  auto switched = co_await stream->response(nullptr);
  REQUIRE(switched.has_value());
  CHECK(switched->status == 101);
  REQUIRE(stream->write(io::Buffer::copy_of(as_bytes("there"))));
  const Frame data = co_await server.peer->next_of(kData);
  CHECK(data.payload == "there");
  stream.reset();
  co_await server.finish();
}

TEST_CASE("an upgrade is asked for by extended CONNECT where the server takes it, and only there") {
  run(upgrades);
}

coro::Task<void> never_settled(io::Loop& loop) {
  RawServer server;
  server.start(loop, "");
  server.peer->hang_up();
  const Status settled = co_await server.client->settled(nullptr);
  REQUIRE(!settled.has_value());
  CHECK(settled.error().code == Errc::closed);
  CHECK(settled.error().retry == Retry::yes);
  co_await server.running.join();
  server.client.reset();
}

TEST_CASE("whoever waits for a server's SETTINGS is told when the connection ends before") {
  run(never_settled);
}

coro::Task<void> lost(io::Loop& loop) {
  RawServer server;
  server.start(loop);
  StreamPtr written = open(server);
  const Frame asked = co_await server.peer->next_of(kHeaders);
  CHECK(asked.stream == 1);
  server.peer->hang_up();
  // It will never be written.
  StreamPtr unwritten = open(server);
  auto first = co_await written->response(nullptr);
  REQUIRE(!first.has_value());
  CHECK(first.error().code == Errc::connection_reset);
  CHECK(first.error().retry == Retry::no);
  auto second = co_await unwritten->response(nullptr);
  REQUIRE(!second.has_value());
  CHECK(second.error().retry == Retry::yes);
  CHECK(server.client->ended());
  written.reset();
  unwritten.reset();
  co_await server.running.join();
  server.client.reset();
}

TEST_CASE("a lost connection fails its streams; a request that never left may be retried") {
  run(lost);
}

coro::Task<void> drained(io::Loop& loop) {
  RawServer server;
  server.start(loop);
  StreamPtr stream = open(server);
  server.client->drain();
  CHECK(!server.client->can_open());
  const Frame goaway = co_await server.peer->next_of(kGoaway);
  CHECK(goaway.number(4) == kNoError);
  server.peer->send(headers(1, block({{":status", "204"}})));
  auto answered = co_await stream->response(nullptr);
  CHECK(answered.has_value());
  CHECK(stream->ended());
  stream.reset();
  co_await server.peer->to_the_end();
  co_await server.finish();
}

TEST_CASE("a drained client ends with its last stream") {
  run(drained);
}

coro::Task<void> pushed(io::Loop& loop) {
  RawServer server;
  server.start(loop);
  StreamPtr stream = open(server);
  const Frame asked = co_await server.peer->next_of(kHeaders);
  CHECK(asked.stream == 1);
  server.peer->send(frame(kPushPromise, kEndHeaders, 1, big_endian(2, 4) + get_block()));
  const Frame told = co_await server.peer->next_of(kGoaway);
  CHECK(told.number(4) == kProtocolError);
  stream.reset();
  co_await server.finish();
}

TEST_CASE("a server that pushes has broken a rule (RFC 9113 8.4)") {
  run(pushed);
}

}  // namespace
}  // namespace aquifer::http2::testing
