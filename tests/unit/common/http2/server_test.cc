// What a server's streams do, seen by a client that speaks frames by hand.
#include "common/http2/server_connection.h"
#include "tests/unit/common/http2/served.h"

namespace aquifer::http2::testing {
namespace {

coro::Task<void> early_answer(io::Loop& loop) {
  Served served;
  RawClient client;
  client.start(loop, keeping(served));
  client.peer->send(headers(1, post_block(), 0) + frame(kData, 0, 1, "some"));
  co_await settle(*client.peer);
  REQUIRE(served.held.size() == 1);
  REQUIRE(served.held[0]->respond(answer(413), http::End::no));
  REQUIRE(served.held[0]->write(io::Buffer::copy_of(as_bytes("too much"))));
  REQUIRE(served.held[0]->finish({{"x", "y"}}));
  served.held.clear();
  const Frame head = co_await client.peer->next_of(kHeaders);
  CHECK(head.type == kHeaders);
  const Frame data = co_await client.peer->next_of(kData);
  CHECK(data.payload == "too much");
  CHECK(!data.ends());
  const Frame trailers = co_await client.peer->next_of(kHeaders);
  CHECK(trailers.payload.ends_with("\x01x\x01y"));
  CHECK(trailers.ends());
  const Frame told = co_await client.peer->next_of(kRstStream);
  CHECK(told.number() == kNoError);
  co_await client.finish();
}

TEST_CASE(
    "an answer before the request's end is sent whole, then the rest is waved off (RFC 9113 8.1)") {
  run(early_answer);
}

coro::Task<void> abandoned(io::Loop& loop) {
  Served served;
  RawClient client;
  client.start(loop, keeping(served));
  client.peer->send(headers(1, get_block()) + headers(3, get_block()) + headers(5, get_block()) +
                    headers(7, get_block()));
  co_await settle(*client.peer);
  REQUIRE(served.held.size() == 4);
  REQUIRE(served.held[1]->respond(answer(), http::End::no));
  served.held[0].reset();
  served.held[1].reset();
  served.held[2]->abort(http::Abort::refused);
  CHECK(!served.held[2]->respond(answer(), http::End::yes));
  http::ResponseHead head = answer();
  head.content_length = 4;
  REQUIRE(served.held[3]->respond(head, http::End::no));
  REQUIRE(served.held[3]->write(io::Buffer::copy_of(as_bytes("abc"))));
  CHECK(!served.held[3]->finish({}));
  const std::uint32_t codes[] = {kInternalError, kInternalError, kRefusedStream, kInternalError};
  for (std::uint32_t i = 0; i < 4; ++i) {
    const Frame told = co_await client.peer->next_of(kRstStream);
    CHECK(told.stream == 2 * i + 1);
    CHECK(told.number() == codes[i]);
  }
  served.held.clear();
  co_await client.finish();
}

TEST_CASE("an answer that stops in the middle, or short of its length, is seen as a failure") {
  run(abandoned);
}

coro::Task<void> watch(Served& served, std::unique_ptr<http::ServerStream> stream) {
  const Error error = co_await stream->failure(nullptr);
  served.failures.push_back(error);
}

coro::Task<void> goes_away(io::Loop& loop) {
  Served served;
  RawClient client;
  client.start(loop, [&served](std::unique_ptr<http::ServerStream> stream) {
    return watch(served, std::move(stream));
  });
  client.peer->send(headers(1, get_block()) + headers(3, post_block(), 0));
  co_await settle(*client.peer);
  client.peer->send(rst(1, kCancel));
  co_await settle(*client.peer);
  REQUIRE(served.failures.size() == 1);
  CHECK(served.failures[0].code == Errc::connection_reset);
  CHECK(served.failures[0].source == ErrorSource::downstream);
  co_await client.finish();
  CHECK(served.failures.size() == 2);
}

TEST_CASE("whoever serves a request learns that the client threw it away, or went away itself") {
  run(goes_away);
}

coro::Task<void> slow_streams(io::Loop& loop) {
  Served served;
  RawClient client;
  client.start(loop, keeping(served));
  client.peer->send(setting(4, 10) + window_update(0, 1U << 20U));
  // One whose body nobody reads, up to its window; one whose answer nobody takes; one that hurries.
  client.peer->send(headers(1, post_block(), 0) + headers(3, get_block()) +
                    headers(5, post_block(), 0));
  std::string full;
  for (int i = 0; i < 4; ++i)
    full += frame(kData, 0, 1, std::string(16'384 - (i == 3 ? 1 : 0), 'x'));
  client.peer->send(full);
  co_await settle(*client.peer);
  REQUIRE(served.held.size() == 3);
  REQUIRE(served.held[1]->respond(answer(), http::End::no));
  const auto room = co_await served.held[1]->writable(nullptr);
  REQUIRE(room.has_value());
  CHECK(*room == ServerOptions().outbox_max);
  REQUIRE(served.held[1]->write(io::Buffer::copy_of(as_bytes(std::string(*room, 'y')))));
  coro::CancelSource soon;
  soon.cancel();
  const auto none = co_await served.held[1]->writable(&soon);
  CHECK(!none.has_value());
  client.peer->send(window_update(5, 1U << 20U));
  const std::string piece(16'384, 'z');
  http::ServerStream& quick = *served.held[2];
  REQUIRE(quick.respond(answer(), http::End::no));
  std::size_t echoed = 0;
  // Far beyond the connection's window, which the first stream therefore cannot hold.
  for (int i = 0; i < 300; ++i) {
    client.peer->send(frame(kData, 0, 5, piece));
    auto heard = co_await quick.read(nullptr);
    REQUIRE(heard.has_value());
    echoed += heard->size();
    if (i % 60 != 0) continue;
    REQUIRE(quick.write(std::move(*heard)));
    std::size_t back = 0;
    while (back < piece.size()) {
      const Frame data = co_await client.peer->next_of(kData);
      if (data.stream == 5) back += data.payload.size();
    }
  }
  CHECK(echoed == 300 * piece.size());
  served.held.clear();
  co_await client.finish();
}

TEST_CASE("a stream that nobody reads or takes delays no other, and its outbox is bounded") {
  run(slow_streams);
}

coro::Task<void> one_write(io::Loop& loop) {
  RawClient client;
  client.start(loop, greet);
  co_await settle(*client.peer);
  const std::size_t before = client.far->writes();
  std::string all;
  for (std::uint32_t id = 1; id < 100; id += 2) all += headers(id, get_block());
  client.peer->send(all);
  for (int i = 0; i < 50; ++i) {
    const Frame told = co_await client.peer->next_of(kHeaders);
    CHECK(told.ends());
  }
  CHECK(client.far->writes() == before + 1);
  co_await client.finish();
}

TEST_CASE("fifty answers of one round of the loop leave in one write") {
  run(one_write);
}

coro::Task<void> drains(io::Loop& loop) {
  Served served;
  RawClient client;
  client.start(loop, keeping(served));
  client.peer->send(headers(1, get_block()));
  co_await settle(*client.peer);
  client.server->drain();
  const Frame first = co_await client.peer->next_of(kGoaway);
  CHECK(first.number() == 0x7fffffff);
  CHECK(first.number(4) == kNoError);
  const Frame ping = co_await client.peer->next_of(kPing);
  // Under way meanwhile: still served.
  client.peer->send(headers(3, get_block()) + frame(kPing, kAck, 0, ping.payload));
  const Frame second = co_await client.peer->next_of(kGoaway);
  CHECK(second.number() == 3);
  REQUIRE(served.held.size() == 2);
  client.peer->send(headers(5, get_block()));
  for (auto& stream : served.held) REQUIRE(stream->respond(answer(), http::End::yes));
  served.held.clear();
  const Frame one = co_await client.peer->next_of(kHeaders);
  CHECK(one.stream == 1);
  const Frame two = co_await client.peer->next_of(kHeaders);
  CHECK(two.stream == 3);
  co_await client.peer->to_the_end();
  CHECK(served.held.empty());
  co_await client.finish();
}

TEST_CASE("a drain takes what is under way and ends with its last stream (RFC 9113 6.8)") {
  run(drains);
}

coro::Task<void> times_out(io::Loop& loop, std::string said, ServerOptions options) {
  RawClient client;
  client.connect(loop, greet, options);
  client.peer->send(said);
  co_await client.peer->to_the_end();
  co_await client.running.join();
}

TEST_CASE("a client that says nothing, answers no ping, or is idle does not keep its connection") {
  using std::chrono::milliseconds;
  ServerOptions preface;
  preface.settings_timeout = milliseconds(20);
  run(times_out, "PRI * HTTP", preface);
  ServerOptions pings;
  pings.ping_interval = pings.ping_timeout = milliseconds(20);
  run(times_out, kPreface + frame(kSettings, 0, 0), pings);
  ServerOptions idle;
  idle.idle_timeout = idle.ping_timeout = milliseconds(20);
  run(times_out, kPreface + frame(kSettings, 0, 0) + headers(1, get_block()), idle);
}

coro::Task<void> first_bytes(io::Loop& loop) {
  auto [near, far] = MemoryStream::pair();
  RawPeer peer(std::move(near));
  ServerConnection server(loop, *far, greet);
  coro::Scope scope;
  const std::string begin = kPreface + frame(kSettings, 0, 0);
  coro::CancelSource stop;
  scope.spawn(server.run(io::Buffer::copy_of(as_bytes(begin).first(30)), &stop));
  peer.send(begin.substr(30) + headers(1, get_block()));
  const Frame told = co_await peer.next_of(kHeaders);
  CHECK(told.stream == 1);
  stop.cancel();
  co_await scope.join();
}

TEST_CASE("bytes that were read to look at come first, and a cancellation ends the connection") {
  run(first_bytes);
}

coro::Task<void> late_frames(io::Loop& loop) {
  RawClient client;
  client.start(loop, greet);
  client.peer->send(headers(1, get_block(), 0) + rst(1, kCancel) + frame(kData, 0, 1, "late"));
  const Frame told = co_await client.peer->next_of(kRstStream);
  CHECK(told.stream == 1);
  CHECK(told.number() == kStreamClosed);
  // Its own reset crosses what the client sends: that is nobody's fault.
  client.peer->send(headers(3, get_block(), 0));
  const Frame waved_off = co_await client.peer->next_of(kRstStream);
  CHECK(waved_off.number() == kNoError);
  client.peer->send(frame(kData, kEndStream, 3, "crossed") + headers(5, get_block()));
  const Frame answered = co_await client.peer->next_of(kHeaders);
  CHECK(answered.stream == 5);
  client.peer->send(frame(kData, kEndStream, 5, "too late"));
  const Frame end = co_await client.peer->next_of(kGoaway);
  CHECK(end.number(4) == kStreamClosed);
  co_await client.finish();
}

TEST_CASE("frames for streams that have ended are judged by how they ended (RFC 9113 5.1)") {
  run(late_frames);
}

}  // namespace
}  // namespace aquifer::http2::testing
