#include "common/http1/request_parser.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace aquifer;
using namespace aquifer::http1;

namespace {

struct Message {
  RequestHead head;
  std::string body;
  Fields trailers;
};

struct Parsed {
  std::vector<Message> messages;  // whole ones
  int status = 0;                 // what the first error would be answered with; 0: none
  std::string rest;               // not consumed
  bool between = false;
};

// Feeds `text` in pieces of `piece` bytes.
Parsed parse_in_pieces(std::string_view text, std::size_t piece, Limits limits = {}) {
  RequestParser parser(limits);
  Parsed parsed;
  Message current;
  for (std::size_t at = 0; at < text.size(); at += piece) {
    // A copy of exact size, so that reading past the piece is seen by the sanitizers.
    std::string copy(text.substr(at, piece));
    ByteView input = as_bytes(copy);
    for (;;) {
      auto step = parser.next(input);
      if (!step) {
        parsed.status = step.error().detail;
        return parsed;
      }
      REQUIRE(step->consumed <= input.size());
      input = input.subspan(step->consumed);
      if (step->event == Event::need_more) {
        REQUIRE(input.empty());
        break;
      }
      if (step->event == Event::head) current.head = parser.head();
      if (step->event == Event::body) current.body += as_text(step->body);
      if (step->event == Event::end) {
        current.trailers = parser.trailers();
        parsed.messages.push_back(std::move(current));
        current = Message();
        if (parsed.messages.back().head.upgrade) {
          parsed.rest = std::string(as_text(input)) +
                        std::string(text.substr(std::min(text.size(), at + piece)));
          return parsed;
        }
      }
    }
  }
  parsed.between = parser.between_messages();
  return parsed;
}

Parsed parse(std::string_view text, Limits limits = {}) {
  Parsed whole = parse_in_pieces(text, text.size(), limits);
  for (std::size_t piece : {1U, 2U, 3U, 7U}) {
    Parsed split = parse_in_pieces(text, piece, limits);
    REQUIRE(split.status == whole.status);
    REQUIRE(split.messages.size() == whole.messages.size());
    for (std::size_t i = 0; i < whole.messages.size(); ++i) {
      REQUIRE(split.messages[i].head.target == whole.messages[i].head.target);
      REQUIRE(split.messages[i].head.fields.size() == whole.messages[i].head.fields.size());
      REQUIRE(split.messages[i].body == whole.messages[i].body);
    }
    REQUIRE(split.rest == whole.rest);
  }
  return whole;
}

// The status that refuses `text`; 0 if it was taken.
int refused(std::string_view text, Limits limits = {}) {
  return parse(text, limits).status;
}

}  // namespace

TEST_CASE("a request without a body is a head and an end") {
  Parsed parsed =
      parse("GET /healthz/ready?x=1 HTTP/1.1\r\nHost: localhost\r\nX-Thing: a b \t\r\n\r\n");
  REQUIRE(parsed.messages.size() == 1);
  const RequestHead& head = parsed.messages[0].head;
  CHECK(head.method == "GET");
  CHECK(head.target == "/healthz/ready?x=1");
  CHECK(head.version == Version::http_1_1);
  CHECK(head.fields.find("x-thing") == "a b");
  CHECK(head.framing == BodyFraming::none);
  CHECK(head.keep_alive);
  CHECK(parsed.between);
}

TEST_CASE("a body of known length, and the request behind it in the same bytes") {
  Parsed parsed = parse(
      "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\nhello world"
      "GET /b HTTP/1.1\r\nHost: h\r\n\r\n");
  REQUIRE(parsed.messages.size() == 2);
  CHECK(parsed.messages[0].body == "hello world");
  CHECK(parsed.messages[0].head.framing == BodyFraming::length);
  CHECK(parsed.messages[0].head.content_length == 11);
  CHECK(parsed.messages[1].head.target == "/b");
}

TEST_CASE("a chunked body, with extensions and trailers") {
  Parsed parsed = parse(
      "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n"
      "5\r\nhello\r\n6;name=value\r\n\r\nworl\r\n0\r\nX-Sum: 1\r\n\r\n");
  REQUIRE(parsed.messages.size() == 1);
  CHECK(parsed.messages[0].body == "hello\r\nworl");
  CHECK(parsed.messages[0].head.framing == BodyFraming::chunked);
  CHECK(parsed.messages[0].trailers.find("x-sum") == "1");
  CHECK(parsed.messages[0].head.fields.count("x-sum") == 0);
}

TEST_CASE("a body may hold anything, bare line ends too") {
  Parsed parsed = parse("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\n\n \r\n\n\r");
  REQUIRE(parsed.messages.size() == 1);
  CHECK(parsed.messages[0].body == "\n \r\n\n\r");
}

TEST_CASE("an empty body ends at once") {
  Parsed parsed = parse("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
  REQUIRE(parsed.messages.size() == 1);
  CHECK(parsed.messages[0].body.empty());
}

TEST_CASE("half a message is not between messages") {
  CHECK_FALSE(parse("GET / HTTP/1.1\r\nHo").between);
  CHECK_FALSE(parse("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nab").between);
  CHECK(RequestParser().between_messages());
}

TEST_CASE("whether the connection lives on is the version's and the Connection field's business") {
  auto keeps = [](std::string_view text) { return parse(text).messages.at(0).head.keep_alive; };
  CHECK(keeps("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
  CHECK_FALSE(keeps("GET / HTTP/1.1\r\nHost: h\r\nConnection: foo, Close\r\n\r\n"));
  CHECK_FALSE(keeps("GET / HTTP/1.0\r\n\r\n"));
  CHECK(keeps("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
  CHECK_FALSE(keeps("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n"));
}

TEST_CASE("blank lines in front of a request are skipped, RFC 9112 section 2.2") {
  CHECK(parse("\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n").messages.size() == 1);
}

TEST_CASE("an expectation is told, not acted on") {
  CHECK(parse("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\nx")
            .messages.at(0)
            .head.expects_continue);
}

TEST_CASE("after CONNECT or an upgrade the bytes are somebody else's") {
  Parsed parsed = parse("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n\x16\x03\x01 not http");
  REQUIRE(parsed.messages.size() == 1);
  CHECK(parsed.messages[0].head.upgrade);
  CHECK(parsed.rest == "\x16\x03\x01 not http");
  CHECK(
      parse(
          "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x05")
          .messages.at(0)
          .head.upgrade);
}

TEST_CASE(
    "two readers could disagree about where these end, so they are refused (RFC 9112 section "
    "6.3)") {
  constexpr std::string_view kStart = "POST / HTTP/1.1\r\nHost: h\r\n";
  auto with = [&](std::string_view fields) {
    return std::string(kStart).append(fields).append("\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
  };
  CHECK(refused(with("Content-Length: 5\r\nContent-Length: 6")) == 400);
  CHECK(refused(with("Content-Length: 5\r\nContent-Length: 5")) == 400);
  CHECK(refused(with("Content-Length: 5, 5")) == 400);
  CHECK(refused(with("Content-Length: +5")) == 400);
  CHECK(refused(with("Content-Length: -1")) == 400);
  CHECK(refused(with("Content-Length: 0x5")) == 400);
  CHECK(refused(with("Content-Length: 5 5")) == 400);
  CHECK(refused(with("Content-Length: ")) == 400);
  CHECK(refused(with("Content-Length: 99999999999999999999999")) == 400);
  CHECK(refused(with("Content-Length: 5\r\nTransfer-Encoding: chunked")) == 400);
  CHECK(refused(with("Transfer-Encoding: chunked\r\nContent-Length: 5")) == 400);
  CHECK(refused(with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked")) == 400);
  CHECK(refused(with("Transfer-Encoding: chunked, identity")) >= 400);
  CHECK(refused(with("Transfer-Encoding: identity")) >= 400);
  CHECK(refused(with("Transfer-Encoding: gzip, chunked")) == 501);
  CHECK(refused(with("Transfer-Encoding: xchunked")) >= 400);
  CHECK(refused(with("Transfer-Encoding: \x0b"
                     "chunked")) >= 400);
  CHECK(refused(with("Transfer-Encoding: \"chunked\"")) >= 400);
  CHECK(refused("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n") == 400);
}

TEST_CASE("names and values that hide a field are refused (RFC 9112 section 5.1)") {
  auto with = [](std::string_view line) {
    return "GET / HTTP/1.1\r\nHost: h\r\n" + std::string(line) + "\r\n\r\n";
  };
  CHECK(refused(with("Transfer-Encoding : chunked")) == 400);
  CHECK(refused(with("Content-Length\t: 5")) == 400);
  CHECK(refused(with(": empty")) == 400);
  CHECK(refused(with("no colon")) == 400);
  CHECK(refused(with("X-\x80: a")) == 400);
  CHECK(refused(with("X: a\x01"
                     "b")) == 400);
  CHECK(refused(with(std::string_view("X: a\0b", 6))) == 400);
  CHECK(refused(with("X: a\x7f")) == 400);
  CHECK(refused(with("X: tab\tand \xc3\xa9")) == 0);
}

TEST_CASE(
    "lines that do not end in CR LF, and folded ones, are refused (RFC 9112 sections 2.2 and "
    "5.2)") {
  CHECK(refused("GET / HTTP/1.1\nHost: h\n\n") == 400);
  CHECK(refused("GET / HTTP/1.1\r\nHost: h\nX: a\r\n\r\n") == 400);
  CHECK(refused("GET / HTTP/1.1\r\nHost: h\r\nX: a\n\r\n") == 400);
  CHECK(refused("GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n\n") == 400);
  CHECK(refused("GET / HTTP/1.1\r\nHost: h\r\nX: a\rY: b\r\n\r\n") == 400);
  CHECK(refused("GET / HTTP/1.1\r\nHost: h\r\r\n\r\n") == 400);
  CHECK(refused("GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n") == 400);
  CHECK(refused("GET / HTTP/1.1\r\n Host: h\r\n\r\n") == 400);
  CHECK(refused("\nGET / HTTP/1.1\r\nHost: h\r\n\r\n") == 400);
}

TEST_CASE("chunks that could be read in two ways are refused (RFC 9112 section 7.1)") {
  auto with = [](std::string_view body) {
    return "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string(body);
  };
  CHECK(refused(with("5\nhello\r\n0\r\n\r\n")) == 400);
  CHECK(refused(with("5\r\nhello\n0\r\n\r\n")) == 400);
  CHECK(refused(with("5\r\nhelloX0\r\n\r\n")) == 400);
  CHECK(refused(with("0x5\r\nhello\r\n0\r\n\r\n")) == 400);
  CHECK(refused(with("5 \r\nhello\r\n0\r\n\r\n")) == 400);
  CHECK(refused(with("-5\r\nhello\r\n0\r\n\r\n")) == 400);
  CHECK(refused(with("\r\nhello\r\n0\r\n\r\n")) == 400);
  CHECK(refused(with("fffffffffffffffff\r\n")) == 400);
  CHECK(refused(with("5;a=\nb\r\nhello\r\n0\r\n\r\n")) == 400);
  CHECK(refused(with("5;a=\"b\nc\"\r\nhello\r\n0\r\n\r\n")) == 400);
  CHECK(refused(with("0\r\nX: a\n\r\n")) == 400);
  CHECK(refused(with("0\r\nX : a\r\n\r\n")) == 400);
}

TEST_CASE("the Host field is there exactly once (RFC 9112 section 3.2)") {
  CHECK(refused("GET / HTTP/1.1\r\n\r\n") == 400);
  CHECK(refused("GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n") == 400);
  CHECK(refused("GET / HTTP/1.0\r\n\r\n") == 0);
}

TEST_CASE("request lines that are none") {
  CHECK(refused("GET /a b HTTP/1.1\r\nHost: h\r\n\r\n") >= 400);
  CHECK(refused("GET /\x01 HTTP/1.1\r\nHost: h\r\n\r\n") == 400);
  CHECK(refused("get / HTTP/1.1\r\nHost: h\r\n\r\n") == 400);
  CHECK(refused("WHAT / HTTP/1.1\r\nHost: h\r\n\r\n") == 400);
  CHECK(refused("GET / HTTP/2.0\r\nHost: h\r\n\r\n") == 505);
  CHECK(refused("GET / HTTP/1.2\r\nHost: h\r\n\r\n") == 505);
  CHECK(refused("GET / HTTP/0.9\r\n\r\n") == 505);
  CHECK(refused("GET / ICE/1.0\r\n\r\n") >= 400);
  CHECK(refused("GET /\r\n\r\n") >= 400);
  CHECK(refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") >= 400);
  CHECK(refused("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03") == 400);
}

TEST_CASE("every limit holds, and what just fits is taken") {
  auto repeated = [](std::size_t n) { return std::string(n, 'a'); };
  Limits limits{.head_bytes_max = 1000,
                .request_target_bytes_max = 100,
                .fields_max = 3,
                .body_bytes_max = 50};
  auto get = [&](const std::string& target, const std::string& fields) {
    return refused("GET " + target + " HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n", limits);
  };
  CHECK(get("/" + repeated(99), "") == 0);
  CHECK(get("/" + repeated(100), "") == 414);
  CHECK(get("/", "X: " + repeated(900) + "\r\n") == 0);
  CHECK(get("/", "X: " + repeated(1000) + "\r\n") == 431);
  CHECK(get("/", repeated(1000) + ": x\r\n") == 431);
  CHECK(get("/", "A: a\r\nB: b\r\n") == 0);
  CHECK(get("/", "A: a\r\nB: b\r\nC: c\r\n") == 431);
  std::string blank;
  for (int i = 0; i < 600; ++i) blank += "\r\n";
  CHECK(refused(blank, limits) == 431);

  auto post = [&](const std::string& rest) {
    return refused("POST / HTTP/1.1\r\nHost: h\r\n" + rest, limits);
  };
  CHECK(post("Content-Length: 50\r\n\r\n" + repeated(50)) == 0);
  CHECK(post("Content-Length: 51\r\n\r\n") == 413);
  const std::string chunked = "Transfer-Encoding: chunked\r\n\r\n";
  CHECK(post(chunked + "32\r\n" + repeated(50) + "\r\n0\r\n\r\n") == 0);
  CHECK(post(chunked + "32\r\n" + repeated(50) + "\r\n1\r\na\r\n0\r\n\r\n") == 413);
  CHECK(post(chunked + "5;" + repeated(1200) + "\r\nhello\r\n0\r\n\r\n") == 431);
  CHECK(post(chunked + "0\r\nX: " + repeated(1100) + "\r\n\r\n") == 431);
  CHECK(post(chunked + "0\r\nA: a\r\nB: b\r\nC: c\r\nD: d\r\n\r\n") == 431);
}

TEST_CASE("a refused connection stays refused") {
  RequestParser parser;
  CHECK_FALSE(parser.next(as_bytes("GET / HTTP/1.1\r\n\r\n")).has_value());
  auto again = parser.next(as_bytes("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
  REQUIRE_FALSE(again.has_value());
  CHECK(again.error().detail == 400);
  CHECK(again.error().source == ErrorSource::downstream);
}

TEST_CASE("bytes behind a last request are refused, not taken for another") {
  Parsed parsed = parse(
      "GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
      "GET /b HTTP/1.1\r\nHost: h\r\n\r\n");
  CHECK(parsed.messages.size() == 1);
  CHECK(parsed.status == 400);
}
