#include "waypoint/detection.h"

#include <doctest/doctest.h>

#include <string>

namespace aquifer::waypoint {
namespace {

Spoken of(std::string_view text) {
  return what_is_spoken(as_bytes(text));
}

TEST_CASE("requests of HTTP/1.1 are known by their method and target") {
  for (const std::string_view text :
       {"GET / HTTP/1.1\r\n", "OPTIONS * HTTP/1.1", "M-SEARCH * HTTP/1.1",
        "GET http://a.test/ HTTP/1.1", "GET HTTPS://a/", "CONNECT a.test:80 ",
        "CONNECT [::1]:80 HTTP/1.1"}) {
    CAPTURE(text);
    CHECK(of(text) == Spoken::http1);
  }
}

TEST_CASE("commands of other protocols are no requests, though they are written in capitals") {
  for (const std::string_view text :
       {"SET key value\r\n", "MAIL FROM:<a@b>\r\n", "EHLO a.test\r\n", "PING\r\n", "GET key\r\n",
        "*1\r\n$4\r\nPING\r\n", "get key\r\n", "PUB subject 5\r\n",
        "CONNECT {\"verbose\":false}\r\n", "\1\2\3"}) {
    CAPTURE(text);
    CHECK(of(text) == Spoken::other);
  }
}

TEST_CASE("the preface of HTTP/2 and the records of TLS are known by their first bytes") {
  CHECK(of("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") == Spoken::http2);
  CHECK(of("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nmore") == Spoken::http2);
  CHECK(of(std::string_view("\x16\x03\x01", 3)) == Spoken::tls);
  CHECK(of(std::string_view("\x16\x04", 2)) == Spoken::other);
}

TEST_CASE("every beginning of what is known needs more, and nothing needs more for ever") {
  for (const std::string_view text :
       {"GET / HTTP/1.1", "GET http://a/", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "CONNECT a:80 "}) {
    bool known = false;
    for (std::size_t size = 0; size <= text.size(); ++size) {
      const Spoken spoken = of(text.substr(0, size));
      CAPTURE(text.substr(0, size));
      CHECK(spoken != Spoken::other);
      // What is known stays known.
      if (known) CHECK(spoken != Spoken::need_more);
      known = known || spoken != Spoken::need_more;
    }
    CHECK(known);
  }
  CHECK(of(std::string(kDetectionBytesMax, 'A')) == Spoken::other);
  CHECK(of("GET " + std::string(kDetectionBytesMax, 'h')) == Spoken::other);
}

}  // namespace
}  // namespace aquifer::waypoint
