#include "common/http1/response_decoder.h"

#include <doctest/doctest.h>

#include <string>

namespace aquifer::http1 {
namespace {

using namespace std::string_literals;

/// Events as letters (h, b, e), with the body; a refusal is "!".
std::string read_all(std::string_view text, std::size_t piece, std::string_view method = "GET") {
  ResponseDecoder decoder;
  decoder.expect(method);
  std::string seen;
  std::string body;
  for (std::size_t at = 0; at < text.size(); at += piece) {
    ByteView input = as_bytes(text.substr(at, piece));
    for (;;) {
      if (decoder.upgraded()) return seen + body + "^";
      const auto step = decoder.next(input);
      if (!step) return seen + body + "!";
      input = input.subspan(step->consumed);
      if (step->event == Event::need_more) break;
      if (step->event == Event::head) seen += "h";
      if (step->event == Event::end) seen += "e";
      if (step->event == Event::body) body.append(as_text(step->body));
    }
  }
  if (!decoder.between_messages()) {
    const auto whole = decoder.finish();
    seen += whole ? "$" : "?";
  }
  return seen + body;
}

void expect(std::string_view text, std::string_view expected, std::string_view method = "GET") {
  for (const std::size_t piece : {text.size(), std::size_t{1}, std::size_t{7}}) {
    CAPTURE(text);
    CAPTURE(piece);
    CHECK(read_all(text, piece, method) == expected);
  }
}

TEST_CASE("the end of a body is known by length, by chunks or by the connection's end") {
  expect("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "heabc");
  expect("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: 1\r\n\r\n",
         "heabc");
  expect("HTTP/1.1 200 OK\r\n\r\nabc", "h$abc");
}

TEST_CASE("an answer that stops before its end is no whole one") {
  expect("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc", "h?abc");
  expect("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "h?abc");
  expect("HTTP/1.1 200 OK\r\nConte", "?");
}

TEST_CASE("interim answers come before the final one") {
  expect("HTTP/1.1 103 Early\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na",
         "hehea");
}

TEST_CASE("an answer to HEAD, 204 and 304 have no body") {
  expect("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", "he", "HEAD");
  expect("HTTP/1.1 204 No\r\n\r\n", "he");
  expect("HTTP/1.1 304 No\r\nContent-Length: 3\r\n\r\n", "he");
}

TEST_CASE("after 101, and a 2xx to CONNECT, what follows is another protocol") {
  expect("HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nraw", "he^");
  expect("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nraw", "he^", "CONNECT");
}

TEST_CASE("an answer that can be read in two ways is refused") {
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  for (const std::string& lines : {
           "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"s,
           "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"s,
           "Content-Length: +1\r\n\r\na"s,
           "Content-Length: 1, 1\r\n\r\na"s,
           "Transfer-Encoding: gzip\r\n\r\nabc"s,
           "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"s,
           "X: a\r\n b\r\n\r\n"s,
           "X: a\nY: b\r\n\r\n"s,
           "X: a\rb\r\n\r\n"s,
           "X : a\r\n\r\n"s,
       }) {
    CAPTURE(lines);
    CHECK(read_all(ok + lines, 1).ends_with("!"));
    CHECK(read_all(ok + lines, 1'000).ends_with("!"));
  }
}

TEST_CASE("trailers cannot change how a message was framed") {
  ResponseDecoder decoder;
  decoder.expect("GET");
  ByteView input = as_bytes(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
      "Content-Length: 5\r\nHost: x\r\nX-Sum: 1\r\n\r\n");
  for (;;) {
    const auto step = decoder.next(input);
    REQUIRE(step.has_value());
    input = input.subspan(step->consumed);
    if (step->event == Event::end) break;
  }
  CHECK(decoder.trailers() == HeaderFields{{"X-Sum", "1"}});
}

TEST_CASE("heads have limits") {
  CHECK(read_all("HTTP/1.1 200 OK\r\nX: " + std::string(100'000, 'x'), 1'000) == "!");
  std::string many = "HTTP/1.1 200 OK\r\n";
  for (int i = 0; i < 300; ++i) many += "X: 1\r\n";
  CHECK(read_all(many, 1'000) == "!");
}

}  // namespace
}  // namespace aquifer::http1
