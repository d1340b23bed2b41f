#include "common/http1/request_reader.h"

#include <doctest/doctest.h>

#include <string>

using namespace aquifer;
using namespace aquifer::http1;
using State = RequestReader::State;

TEST_CASE("a request in pieces is complete with its last byte, and what follows is not touched") {
  const std::string first = "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello";
  const std::string second = "GET /b HTTP/1.1\r\nHost: h\r\n\r\n";
  RequestReader reader;
  for (std::size_t i = 0; i + 1 < first.size(); ++i) {
    auto progress = reader.feed(as_bytes(first.substr(i, 1)));
    REQUIRE(progress.has_value());
    CHECK(progress->state == State::incomplete);
    CHECK(progress->consumed == 1);
    CHECK_FALSE(reader.between_messages());
  }
  const std::string rest = first.back() + second;
  auto progress = reader.feed(as_bytes(rest));
  REQUIRE(progress.has_value());
  CHECK(progress->state == State::complete);
  CHECK(progress->consumed == 1);
  RequestMessage message = reader.take();
  CHECK(message.head.target == "/a");
  CHECK(message.body == "hello");
  CHECK(reader.between_messages());

  progress = reader.feed(as_bytes(second));
  REQUIRE(progress.has_value());
  CHECK(progress->state == State::complete);
  message = reader.take();
  CHECK(message.head.target == "/b");
  CHECK(message.body.empty());
}

TEST_CASE("a client that waits for permission to send its body is told of once") {
  RequestReader reader;
  auto progress = reader.feed(
      as_bytes("POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"));
  REQUIRE(progress.has_value());
  CHECK(progress->state == State::wants_continue);
  progress = reader.feed(as_bytes("h"));
  REQUIRE(progress.has_value());
  CHECK(progress->state == State::incomplete);
  progress = reader.feed(as_bytes("i"));
  REQUIRE(progress.has_value());
  CHECK(progress->state == State::complete);
  CHECK(reader.take().body == "hi");
}

TEST_CASE("a client that sends its body with the expectation, or has none, is not answered early") {
  RequestReader reader;
  auto progress = reader.feed(as_bytes(
      "POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi"));
  REQUIRE(progress.has_value());
  CHECK(progress->state == State::complete);
  static_cast<void>(reader.take());
  progress = reader.feed(as_bytes("GET /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n\r\n"));
  REQUIRE(progress.has_value());
  CHECK(progress->state == State::complete);
}

TEST_CASE("a malformed request is an error with a status") {
  RequestReader reader;
  auto progress = reader.feed(as_bytes("GET / HTTP/1.1\r\n\r\n"));
  REQUIRE_FALSE(progress.has_value());
  CHECK(progress.error().detail == 400);
}
