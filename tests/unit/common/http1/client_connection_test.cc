#include "common/http1/client_connection.h"

#include "tests/unit/common/http1/http1_fixture.h"

namespace aquifer::http1::testing {
namespace {

http::RequestHead request(std::string method, std::string upgrade = {}) {
  http::RequestHead head;
  head.method = std::move(method);
  head.authority = "x";
  if (head.method != "CONNECT") head.path = "/";
  head.upgrade = std::move(upgrade);
  return head;
}

struct Case {
  http::RequestHead head = request("GET");
  std::string answer;
  int status = 200;  ///< 0: no answer
  std::string body;
  bool reusable = true;
};

coro::Task<void> one(io::Loop&, Case c) {
  auto [near, server] = MemoryStream::pair();
  ClientConnection connection(std::move(near));
  {
    auto stream = connection.open(c.head, http::End::yes);
    REQUIRE(stream.has_value());
    say(*server, c.answer);
    auto head = co_await (*stream)->response(nullptr);
    while (head && head->status < 200 && head->status != 101)
      head = co_await (*stream)->response(nullptr);
    CHECK((head ? head->status : 0) == c.status);
    if (head) {
      const std::string body = co_await rest_of(**stream);
      CHECK(body == c.body);
    }
  }
  CHECK(connection.reusable() == c.reusable);
}

const std::string kOk = "HTTP/1.1 200 OK\r\n";

TEST_CASE("an answer is read to its end, and the connection serves again") {
  run(one, Case{.answer = kOk + "Content-Length: 2\r\n\r\nab", .body = "ab"});
  run(one,
      Case{.answer = kOk + "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", .body = "a"});
  run(one, Case{.answer = "HTTP/1.1 204 No Content\r\n\r\n", .status = 204, .body = ""});
  run(one, Case{.answer = "HTTP/1.1 103 Early Hints\r\n\r\n" + kOk + "Content-Length: 0\r\n\r\n",
                .body = ""});
}

TEST_CASE("an answer to HEAD has a length and no body, and the connection serves again") {
  run(one, Case{.head = request("HEAD"), .answer = kOk + "Content-Length: 5\r\n\r\n", .body = ""});
  run(one, Case{.head = request("HEAD"),
                .answer = kOk + "Transfer-Encoding: chunked\r\n\r\n",
                .body = ""});
  run(one, Case{.head = request("HEAD"), .answer = kOk + "\r\n", .body = ""});
}

TEST_CASE("what comes behind an answer makes its connection useless") {
  run(one, Case{.answer = kOk + "Content-Length: 1\r\n\r\nabc", .body = "a", .reusable = false});
  run(one, Case{.answer = kOk + "Content-Length: 1\r\nConnection: close\r\n\r\na",
                .body = "a",
                .reusable = false});
  run(one, Case{.head = request("HEAD"),
                .answer = kOk + "Content-Length: 1\r\n\r\na",
                .body = "",
                .reusable = false});
}

TEST_CASE("another protocol is only taken by who asked for it") {
  const std::string switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n\r\n";
  run(one, Case{.answer = switching, .status = 0, .body = "", .reusable = false});
}

coro::Task<void> tunnel(io::Loop&, http::RequestHead head, std::string answer) {
  auto [near, server] = MemoryStream::pair();
  ClientConnection connection(std::move(near));
  {
    auto stream = connection.open(head, http::End::no);
    REQUIRE(stream.has_value());
    const std::string sent = co_await heard(*server);
    CHECK(sent.find("transfer-encoding") == std::string::npos);
    say(*server, answer + "early");
    auto response = co_await (*stream)->response(nullptr);
    REQUIRE(response.has_value());
    REQUIRE((*stream)->write(io::Buffer::copy_of(as_bytes("raw"))));
    const std::string raw = co_await heard(*server);
    CHECK(raw == "raw");
    const auto bytes = co_await (*stream)->read(nullptr);
    REQUIRE(bytes.has_value());
    CHECK(as_text(bytes->view()) == "early");
  }
  CHECK_FALSE(connection.reusable());
}

TEST_CASE("after 101, and after a 2xx to CONNECT, bytes flow as they are, both ways") {
  run(tunnel, request("GET", "websocket"),
      std::string("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n\r\n"));
  run(tunnel, request("CONNECT"), std::string("HTTP/1.1 200 OK\r\n\r\n"));
}

coro::Task<void> short_body(io::Loop&) {
  auto [near, server] = MemoryStream::pair();
  ClientConnection connection(std::move(near));
  {
    http::RequestHead head = request("POST");
    head.content_length = 5;
    auto stream = connection.open(head, http::End::no);
    REQUIRE(stream.has_value());
    REQUIRE((*stream)->write(io::Buffer::copy_of(as_bytes("abc"))));
    CHECK_FALSE((*stream)->finish({}));
    say(*server, kOk + "Content-Length: 0\r\n\r\n");
    auto response = co_await (*stream)->response(nullptr);
    CHECK(response.has_value());
  }
  CHECK_FALSE(connection.reusable());
}

TEST_CASE("a request shorter than was said is the last on its connection") {
  run(short_body);
}

coro::Task<void> stale(io::Loop&) {
  auto [near, server] = MemoryStream::pair();
  ClientConnection connection(std::move(near));
  for (int turn = 0; turn < 2; ++turn) {
    auto stream = connection.open(request("GET"), http::End::yes);
    REQUIRE(stream.has_value());
    if (turn == 0) say(*server, kOk + "Content-Length: 0\r\n\r\n");
    if (turn == 1) REQUIRE(server->shutdown_write());
    auto response = co_await (*stream)->response(nullptr);
    CHECK(response.has_value() == (turn == 0));
    if (!response) CHECK(response.error().retry == Retry::yes);
  }
}

TEST_CASE(
    "a kept connection that ends instead of an answer says that the request may be repeated") {
  run(stale);
}

}  // namespace
}  // namespace aquifer::http1::testing
