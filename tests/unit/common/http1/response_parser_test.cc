#include "common/http1/response_parser.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <string_view>

using namespace aquifer;
using namespace aquifer::http1;

namespace {

struct Read {
  Status status;
  std::string body;
  int code = 0;
  bool complete = false;
};

Read read(std::string_view text, std::size_t piece) {
  ResponseParser parser;
  Read result;
  while (!text.empty() && result.status) {
    const std::string_view part = text.substr(0, std::min(piece, text.size()));
    text.remove_prefix(part.size());
    result.status = parser.feed(as_bytes(part), result.body);
  }
  if (result.status) result.status = parser.finish();
  result.code = parser.status();
  result.complete = parser.complete();
  return result;
}

constexpr std::size_t kPieces[] = {1, 3, 4096};

}  // namespace

TEST_CASE("a response with a length, chunks or neither gives its status and its body") {
  for (std::size_t piece : kPieces) {
    CAPTURE(piece);
    for (std::string_view text :
         {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
          "HTTP/1.1 200 OK\r\n\r\nhello"}) {
      const Read got = read(text, piece);
      REQUIRE(got.status.has_value());
      CHECK(got.complete);
      CHECK(got.code == 200);
      CHECK(got.body == "hello");
    }
  }
}

TEST_CASE("a response that ends in its middle is an error, wherever that is") {
  const std::string whole = "HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nhello";
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    CAPTURE(cut);
    CHECK_FALSE(read(std::string_view(whole).substr(0, cut), 7).status.has_value());
  }
}

TEST_CASE("what is no response, or more than one, is refused") {
  for (std::string_view text :
       {"SSH-2.0-OpenSSH_9.2\r\n", "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nabc"}) {
    CAPTURE(text);
    for (std::size_t piece : kPieces) CHECK_FALSE(read(text, piece).status.has_value());
  }
}

TEST_CASE("a head without end, and chunk extensions without end, meet a limit") {
  std::string head = "HTTP/1.1 200 OK\r\n";
  for (int i = 0; i < 2'000; ++i) head += "X-Field: some more of it\r\n";
  const Read got = read(head, 100);
  REQUIRE_FALSE(got.status.has_value());
  CHECK(got.status.error().code == Errc::limit);

  std::string chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;";
  chunks.append(40'000, 'x');
  CHECK_FALSE(read(chunks, 100).status.has_value());
}
