// Clients that break rules, by accident or on purpose.
#include "common/http2/server_connection.h"
#include "tests/unit/common/http2/raw_peer.h"

namespace aquifer::http2::testing {
namespace {

constexpr std::string_view kGet = "GET";

/// Answers everything at once; reads nothing.
coro::Task<void> greet(std::unique_ptr<http::ServerStream> stream) {
  http::ResponseHead head = answer();
  head.fields.add("x-path", stream->request().path);
  std::ignore = stream->respond(head, http::End::yes);
  co_return;
}

/// Answers when the whole request is there.
coro::Task<void> read_then_greet(std::unique_ptr<http::ServerStream> stream) {
  const auto body = co_await read_all(*stream);
  if (!body) co_return;
  std::ignore = stream->respond(answer(), http::End::yes);
}

/// Holds the stream until it fails.
coro::Task<void> wait_for_failure(std::unique_ptr<http::ServerStream> stream) {
  const Error error = co_await stream->failure(nullptr);
  CHECK(error.source == ErrorSource::downstream);
}

coro::Task<void> refused(io::Loop& loop, std::string fields) {
  RawClient client;
  client.start(loop, greet);
  client.peer->send(headers(1, fields));
  const Frame told = co_await client.peer->next_of(kRstStream);
  CHECK(told.stream == 1);
  CHECK(told.number() == kProtocolError);
  // The connection goes on.
  client.peer->send(headers(3, get_block()));
  const Frame answered = co_await client.peer->next_of(kHeaders);
  CHECK(answered.stream == 3);
  co_await client.finish();
}

TEST_CASE(
    "a head that could be read in two ways resets its stream with PROTOCOL_ERROR, and no other") {
  using namespace std::string_view_literals;
  const std::pair<std::string_view, std::string_view> method{":method", kGet};
  const std::pair<std::string_view, std::string_view> scheme{":scheme", "http"};
  const std::pair<std::string_view, std::string_view> host{":authority", "a"};
  const std::pair<std::string_view, std::string_view> path{":path", "/"};
  const std::string heads[] = {
      block({method, method, scheme, host, path}),
      block({method, scheme, host, path, path}),
      block({scheme, host, path}),
      block({method, scheme, host}),
      block({method, scheme, path}),
      block({method, host, path}),
      block({method, scheme, host, {":path", ""}}),
      block({method, scheme, host, {":path", "a"}}),
      block({method, scheme, host, {":path", "*"}}),
      block({method, scheme, host, {":path", "/ HTTP/1.1"}}),
      block({method, scheme, host, {":path", "/\t"}}),
      block({method, scheme, host, {":path", "/#f"}}),
      block({method, scheme, host, {":path", "http://b/"}}),
      block({method, scheme, host, {":path", "/\r\nhost: b"}}),
      block({{":method", "GET /x HTTP/1.1"}, scheme, host, path}),
      block({{":method", "G\r\n"}, scheme, host, path}),
      block({{":method", ""}, scheme, host, path}),
      block({method, {":scheme", "ftp"}, host, path}),
      block({method, {":scheme", "http://b"}, host, path}),
      block({method, scheme, {":authority", ""}, path}),
      block({method, scheme, {":authority", "user@a"}, path}),
      block({method, scheme, {":authority", "a/b"}, path}),
      block({method, scheme, {":authority", "a b"}, path}),
      block({method, scheme, {":authority", "a\r\n"}, path}),
      block({method, scheme, host, path, {"host", "b"}}),
      block({method, scheme, path, {"host", "a"}, {"host", "a"}}),
      block({method, scheme, host, path, {":status", "200"}}),
      block({method, scheme, host, path, {":unknown", "1"}}),
      block({method, scheme, host, {"x", "1"}, path}),
      block({method, scheme, host, path, {"transfer-encoding", "chunked"}}),
      block({method, scheme, host, path, {"connection", "keep-alive"}}),
      block({method, scheme, host, path, {"proxy-connection", "keep-alive"}}),
      block({method, scheme, host, path, {"keep-alive", "1"}}),
      block({method, scheme, host, path, {"upgrade", "h2c"}}),
      block({method, scheme, host, path, {"te", "gzip"}}),
      block({method, scheme, host, path, {"X-Upper", "1"}}),
      block({method, scheme, host, path, {"x y", "1"}}),
      block({method, scheme, host, path, {"x:y", "1"}}),
      block({method, scheme, host, path, {"", "1"}}),
      block({method, scheme, host, path, {"x", "a\rb"}}),
      block({method, scheme, host, path, {"x", "a\nb"}}),
      block({method, scheme, host, path, {"x", "a\0b"sv}}),
      block({method, scheme, host, path, {"content-length", "1"}, {"content-length", "1"}}),
      block({method, scheme, host, path, {"content-length", "+1"}}),
      block({method, scheme, host, path, {"content-length", "1, 1"}}),
      block({method, scheme, host, path, {"content-length", "5"}}),  // of which nothing comes
      block({{":method", "CONNECT"}, host, path}),
      block({{":method", "CONNECT"}, scheme, host}),
      block({{":method", "CONNECT"}}),
      block({method, scheme, host, path, {":protocol", "websocket"}}),
      block({{":method", "CONNECT"}, {":protocol", "web socket"}, scheme, host, path}),
  };
  for (const std::string& head : heads) {
    CAPTURE(head);
    run(refused, head);
  }
}

coro::Task<void> wrong_length(io::Loop& loop, std::string body) {
  RawClient client;
  client.start(loop, read_then_greet);
  client.peer->send(headers(1, post_block() + block({{"content-length", "5"}}), 0) +
                    frame(kData, kEndStream, 1, body));
  const Frame told = co_await client.peer->next_of(kRstStream);
  CHECK(told.stream == 1);
  CHECK(told.number() == kProtocolError);
  co_await client.finish();
}

TEST_CASE(
    "a body that is shorter or longer than its content-length resets the stream (RFC 9113 8.1.1)") {
  run(wrong_length, "1234");
  run(wrong_length, "123456");
}

coro::Task<void> too_large(io::Loop& loop, std::string fields) {
  RawClient client;
  client.start(loop, greet);
  std::string sent;
  for (std::size_t at = 0; at < fields.size(); at += 16384) {
    const bool last = at + 16384 >= fields.size();
    const std::uint8_t flags = (last ? kEndHeaders : 0) | (at == 0 ? kEndStream : 0);
    sent += frame(at == 0 ? kHeaders : kContinuation, flags, 1,
                  std::string_view(fields).substr(at, 16384));
  }
  client.peer->send(sent);
  const Frame told = co_await client.peer->next_of(kHeaders);
  CHECK(told.stream == 1);
  CHECK(told.ends());
  CHECK(told.payload.find("\x03"
                          "431") != std::string::npos);
  client.peer->send(headers(3, get_block()));
  const Frame answered = co_await client.peer->next_of(kHeaders);
  CHECK(answered.stream == 3);
  co_await client.finish();
}

TEST_CASE("a head beyond its limits is answered 431, and the connection goes on") {
  const std::string large(40'000, 'x');
  run(too_large, get_block() + block({{"x", large}, {"y", large}}));
  std::string many = get_block();
  for (int i = 0; i < 250; ++i) many += block({{"x", "1"}});
  run(too_large, many);
}

coro::Task<void> bomb(io::Loop& loop) {
  RawClient client;
  client.start(loop, greet);
  // One field of 3,900 bytes that goes into the table (RFC 7541 section 6.2.1), then a byte for
  // each time that it is meant again: 16 KiB stand for 47 MB.
  std::string fields = get_block();
  std::string one = block({{"x", std::string(3'900, 'y')}});
  one.front() = 0x40;
  fields += one + std::string(12'000, '\xbe');
  client.peer->send(headers(1, fields));
  const Frame told = co_await client.peer->next_of(kRstStream);
  CHECK(told.stream == 1);
  CHECK(told.number() == kEnhanceYourCalm);
  // The table is as the client thinks.
  client.peer->send(headers(3, get_block() + "\xbe"));
  const Frame answered = co_await client.peer->next_of(kHeaders);
  CHECK(answered.stream == 3);
  co_await client.finish();
}

TEST_CASE("a few bytes that stand for a head of megabytes reset their stream") {
  run(bomb);
}

coro::Task<void> floods(io::Loop& loop, std::string often, std::size_t times,
                        ServerOptions options) {
  RawClient client;
  client.start(loop, wait_for_failure, options);
  client.peer->send(headers(1, post_block(), 0));
  std::string all;
  for (std::size_t i = 0; i < times; ++i) all += often;
  client.peer->send(all);
  const Frame told = co_await client.peer->next_of(kGoaway);
  CHECK(told.number(4) == kEnhanceYourCalm);
  co_await client.peer->to_the_end();
  co_await client.finish();
}

TEST_CASE("each flood of cheap frames ends the connection with ENHANCE_YOUR_CALM") {
  ServerOptions options;
  for (FloodLimit& limit : options.floods.by_kind) limit = {.burst = 20, .per_second = 1};
  run(floods, frame(kPing, 0, 0, "12345678"), 50, options);
  run(floods, frame(kSettings, 0, 0), 50, options);
  run(floods, frame(kData, 0, 1), 50, options);
  run(floods, window_update(0, 1), 50, options);
  run(floods, frame(kPriority, 0, 5, std::string("\0\0\0\0\x10", 5)), 50, options);
  run(floods, frame(99, 0, 0, "what"), 50, options);
  // As they are: what one read of the loop brings is judged at once.
  const ServerOptions usual;
  run(floods, frame(kSettings, 0, 0), 60, usual);
  run(floods, frame(kPing, 0, 0, "12345678"), 2'100, usual);
}

coro::Task<void> continuations(io::Loop& loop) {
  RawClient client;
  client.start(loop, greet);
  std::string all = frame(kHeaders, 0, 1, get_block());
  for (int i = 0; i < 1'000; ++i) all += frame(kContinuation, 0, 1, block({{"x", "1"}}));
  client.peer->send(all);
  const Frame told = co_await client.peer->next_of(kGoaway);
  CHECK(told.number(4) == kEnhanceYourCalm);
  co_await client.peer->to_the_end();
  co_await client.finish();
}

TEST_CASE("a header block that never ends ends the connection") {
  run(continuations);
}

std::string cancelled(std::uint32_t first, std::uint32_t count) {
  std::string all;
  for (std::uint32_t i = 0; i < count; ++i)
    all += headers(first + 2 * i, get_block()) + rst(first + 2 * i, kCancel);
  return all;
}

coro::Task<void> rapid_reset(io::Loop& loop) {
  RawClient client;
  client.start(loop, wait_for_failure);
  // An honest client in a hurry.
  client.peer->send(cancelled(1, 5'000) + frame(kPing, 0, 0, "are here"));
  const Frame pong = co_await client.peer->next_of(kPing);
  CHECK(pong.payload == "are here");
  client.peer->send(cancelled(10'001, 20'000));
  const Frame told = co_await client.peer->next_of(kGoaway);
  CHECK(told.number(4) == kEnhanceYourCalm);
  co_await client.peer->to_the_end();
  co_await client.finish();
}

TEST_CASE("thousands of cancelled requests are fine, tens of thousands end the connection") {
  run(rapid_reset);
}

coro::Task<void> made_you_reset(io::Loop& loop) {
  RawClient client;
  ServerOptions options;
  options.floods.by_kind[0] = {.burst = 20, .per_second = 1};
  client.start(loop, wait_for_failure, options);
  std::string all;
  // A window that grows beyond its bound is the client's fault, and the server's reset.
  for (std::uint32_t id = 1; id < 100; id += 2)
    all += headers(id, get_block()) + window_update(id, 0x7fffffff);
  client.peer->send(all);
  const Frame told = co_await client.peer->next_of(kGoaway);
  CHECK(told.number(4) == kEnhanceYourCalm);
  co_await client.peer->to_the_end();
  co_await client.finish();
}

TEST_CASE("a client that makes the server reset its streams is counted as one that resets them") {
  run(made_you_reset);
}

struct Slow {
  std::vector<std::unique_ptr<http::ServerStream>> held;
};

coro::Task<void> keep(Slow& slow, std::unique_ptr<http::ServerStream> stream) {
  slow.held.push_back(std::move(stream));
  co_return;
}

coro::Task<void> held_back(io::Loop& loop) {
  Slow slow;
  RawClient client;
  ServerOptions options;
  options.held_max = 8;
  const Serve serve = [&slow](std::unique_ptr<http::ServerStream> stream) {
    return keep(slow, std::move(stream));
  };
  client.start(loop, serve, options);
  // Thrown away before anybody saw them: these do not count.
  client.peer->send(cancelled(101, 20));
  std::string requests;
  std::string resets;
  for (std::uint32_t id = 201; id <= 215; id += 2) {
    requests += headers(id, get_block());
    resets += rst(id, kCancel);
  }
  client.peer->send(requests + frame(kPing, 0, 0, "all held"));
  const Frame held = co_await client.peer->next_of(kPing);
  CHECK(held.payload == "all held");
  CHECK(slow.held.size() == 8);
  client.peer->send(resets + headers(301, get_block()));
  const Frame told = co_await client.peer->next_of(kRstStream);
  CHECK(told.stream == 301);
  CHECK(told.number() == kRefusedStream);
  slow.held.clear();
  client.peer->send(headers(303, get_block()) + frame(kPing, 0, 0, "12345678"));
  const Frame pong = co_await client.peer->next_of(kPing);
  CHECK(pong.stream == 0);
  CHECK(slow.held.size() == 1);
  slow.held.clear();
  co_await client.finish();
}

TEST_CASE("requests whose cancelled predecessors are still being cleaned up are refused") {
  run(held_back);
}

coro::Task<void> ends_with(io::Loop& loop, std::string bytes, std::uint32_t code) {
  RawClient client;
  client.connect(loop, greet);
  client.peer->send(bytes);
  const Frame told = co_await client.peer->next_of(kGoaway);
  CHECK(told.number(4) == code);
  co_await client.peer->to_the_end();
  co_await client.finish();
}

TEST_CASE("what no client says ends the connection with its reason") {
  const std::string begin = kPreface + frame(kSettings, 0, 0);
  run(ends_with, "GET / HTTP/1.1\r\nhost: a\r\n\r\n", kProtocolError);
  run(ends_with, begin + frame(kData, 0, 1, "x"), kProtocolError);
  run(ends_with, begin + frame(kHeaders, kEndHeaders | kEndStream, 1, "\xff\xff\xff\xff\xff\xff"),
      kCompressionError);
  run(ends_with, begin + frame(kPing, 0, 0, "short"), kFrameSizeError);
  run(ends_with, begin + window_update(0, 0), kProtocolError);
  run(ends_with, begin + headers(5, get_block()) + headers(3, get_block()), kProtocolError);
  run(ends_with, begin + headers(2, get_block()), kProtocolError);
  run(ends_with, begin + frame(kPushPromise, kEndHeaders, 1, "\0\0\0\2"), kProtocolError);
}

}  // namespace
}  // namespace aquifer::http2::testing
