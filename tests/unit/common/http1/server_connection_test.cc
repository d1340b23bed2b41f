#include "common/http1/server_connection.h"

#include "tests/unit/common/http1/http1_fixture.h"

namespace aquifer::http1::testing {
namespace {

http::ResponseHead answer(int status, std::optional<std::uint64_t> length) {
  http::ResponseHead head;
  head.status = status;
  head.content_length = length;
  return head;
}

/// Serves what `sent` holds, each request with its own body, and gives what was told and written.
coro::Task<void> echo_all(io::Loop& loop, std::string sent, std::string expected, bool goes_on) {
  auto [client, server] = MemoryStream::pair();
  say(*client, sent);
  {
    ServerConnection connection(loop, *server, io::Buffer());
    bool another = true;
    while (another && !(connection.idle() && server->is_quiet())) {
      auto request = co_await connection.next(nullptr);
      if (!request) {
        connection.refuse(request.error());
        another = false;
        break;
      }
      REQUIRE(*request != nullptr);
      const std::string body = co_await rest_of(**request);
      const bool failed = body.ends_with("failed");
      REQUIRE((*request)->respond(answer(failed ? 400 : 200, body.size()), http::End::no));
      REQUIRE((*request)->write(io::Buffer::copy_of(as_bytes(body))));
      REQUIRE((*request)->finish({}));
      request->reset();
      another = co_await connection.finish_request(nullptr);
    }
    CHECK(another == goes_on);
  }
  const std::string text = co_await heard(*client);
  CHECK(text == expected);
}

TEST_CASE("requests behind each other are told one after the other, and each is answered") {
  run(echo_all,
      std::string(
          "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab"
          "POST /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nc\r\n0\r\n\r\n"),
      std::string("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nab"
                  "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nc"),
      true);
}

TEST_CASE("a client that closes is told so, and its connection ends behind the answer") {
  run(echo_all,
      std::string("POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1\r\n\r\na"),
      std::string("HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: close\r\n\r\na"), false);
}

TEST_CASE("a body that is malformed fails, and the answer to it says that the connection ends") {
  run(echo_all,
      std::string("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
      std::string(
          "HTTP/1.1 400 Bad Request\r\ncontent-length: 6\r\nconnection: close\r\n\r\nfailed"),
      false);
}

TEST_CASE("a head that is malformed is answered with the status of its breach") {
  run(echo_all, std::string("GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n"),
      std::string("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"),
      false);
}

coro::Task<void> head_times_out(io::Loop& loop, std::string begun, std::string expected) {
  auto [client, server] = MemoryStream::pair();
  say(*client, begun);
  ServerOptions options;
  options.head_max = std::chrono::milliseconds(20);
  ServerConnection connection(loop, *server, io::Buffer(), options);
  auto request = co_await connection.next(nullptr);
  REQUIRE_FALSE(request.has_value());
  connection.refuse(request.error());
  const std::string text = co_await heard(*client);
  CHECK(text == expected);
}

TEST_CASE("a head that does not end in time is answered 408, and blank lines with nothing") {
  run(head_times_out, std::string("GET / HT"),
      std::string(
          "HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"));
  run(head_times_out, std::string("\r\n"), std::string());
}

coro::Task<void> switches(io::Loop& loop, std::string method, std::string more, int status) {
  auto [client, server] = MemoryStream::pair();
  say(*client, method + more + "\r\nearly");
  ServerConnection connection(loop, *server, io::Buffer());
  {
    auto request = co_await connection.next(nullptr);
    REQUIRE(request.has_value());
    CHECK((*request)->ended());
    REQUIRE((*request)->respond(answer(status, {}), http::End::no));
    const auto bytes = co_await (*request)->read(nullptr);
    REQUIRE(bytes.has_value());
    CHECK(as_text(bytes->view()) == "early");
    REQUIRE((*request)->write(io::Buffer::copy_of(as_bytes("back"))));
    REQUIRE((*request)->finish({}));
  }
  const bool another = co_await connection.finish_request(nullptr);
  CHECK_FALSE(another);
  const std::string text = co_await heard(*client);
  CHECK(text.ends_with("\r\n\r\nback"));
  CHECK(text.find("content-length") == std::string::npos);
}

TEST_CASE("after 101, and after a 2xx to CONNECT, bytes flow as they are") {
  run(switches, std::string("GET / HTTP/1.1\r\nHost: x\r\n"),
      std::string("Connection: Upgrade\r\nUpgrade: websocket\r\n"), 101);
  run(switches, std::string("CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n"), std::string(), 200);
}

coro::Task<void> upgrade_with_body(io::Loop& loop) {
  auto [client, server] = MemoryStream::pair();
  say(*client,
      "POST / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
      "Content-Length: 1\r\n\r\na");
  ServerConnection connection(loop, *server, io::Buffer());
  auto request = co_await connection.next(nullptr);
  REQUIRE(request.has_value());
  CHECK((*request)->request().upgrade.empty());
  const std::string body = co_await rest_of(**request);
  CHECK(body == "a");
}

TEST_CASE("an upgrade with a body is an ordinary request") {
  run(upgrade_with_body);
}

coro::Task<void> short_answer(io::Loop& loop) {
  auto [client, server] = MemoryStream::pair();
  say(*client, "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n");
  ServerConnection connection(loop, *server, io::Buffer());
  {
    auto request = co_await connection.next(nullptr);
    REQUIRE(request.has_value());
    REQUIRE((*request)->respond(answer(200, 5), http::End::no));
    REQUIRE((*request)->write(io::Buffer::copy_of(as_bytes("abc"))));
    CHECK_FALSE((*request)->finish({}));
  }
  const bool another = co_await connection.finish_request(nullptr);
  CHECK_FALSE(another);
}

TEST_CASE(
    "an answer shorter than was said ends its connection: the next would be read as its rest") {
  run(short_answer);
}

coro::Task<void> waits_for_continue(io::Loop& loop) {
  auto [client, server] = MemoryStream::pair();
  say(*client, "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
  ServerConnection connection(loop, *server, io::Buffer());
  auto request = co_await connection.next(nullptr);
  REQUIRE(request.has_value());
  CHECK_FALSE((*request)->ended());
  CHECK_FALSE((*request)->request().fields.contains("expect"));
  const std::string before = co_await heard(*client);
  CHECK(before.empty());
  say(*client, "a");
  const std::string body = co_await rest_of(**request);
  CHECK(body == "a");
  const std::string told = co_await heard(*client);
  CHECK(told == "HTTP/1.1 100 Continue\r\n\r\n");
}

TEST_CASE("a client that waits for 100 is told it when somebody asks for its body") {
  run(waits_for_continue);
}

}  // namespace
}  // namespace aquifer::http1::testing
