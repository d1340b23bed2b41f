#include "common/http1/message.h"

#include <doctest/doctest.h>

using namespace aquifer;
using namespace aquifer::http1;

TEST_CASE("fields are found without case, in their order") {
  Fields fields{{"Host", "a"}, {"X-One", "1"}, {"x-one", "2"}};
  CHECK(fields.find("HOST") == "a");
  CHECK(fields.find("x-ONE") == "1");
  CHECK(fields.count("X-one") == 2);
  CHECK_FALSE(fields.find("x-on").has_value());
}

TEST_CASE("a token is one of the words of a list, over several fields") {
  Fields fields{{"Connection", "Upgrade , keep-alive"}, {"connection", "CLOSE"}};
  CHECK(lists_token(fields, "connection", "close"));
  CHECK(lists_token(fields, "connection", "Keep-Alive"));
  CHECK_FALSE(lists_token(fields, "connection", "keep"));
}

TEST_CASE("heads are written as lines that end in CR LF") {
  std::string out;
  REQUIRE(append_response_head(out, 404, {{"Content-Length", "0"}, {"Connection", "close"}})
              .has_value());
  CHECK(out == "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  out.clear();
  REQUIRE(append_request_head(out, "GET", "/a?b", {{"Host", "h"}}).has_value());
  CHECK(out == "GET /a?b HTTP/1.1\r\nHost: h\r\n\r\n");
}

TEST_CASE("a head that would be read back as something else is not written") {
  std::string out = "before";
  CHECK_FALSE(append_response_head(out, 200, {{"X", "a\r\nSet-Cookie: b"}}).has_value());
  CHECK_FALSE(append_response_head(out, 200, {{"X", std::string("a\0b", 3)}}).has_value());
  CHECK_FALSE(append_response_head(out, 200, {{"X Y", "a"}}).has_value());
  CHECK_FALSE(append_response_head(out, 200, {{"", "a"}}).has_value());
  CHECK_FALSE(append_response_head(out, 7, {}).has_value());
  CHECK_FALSE(append_request_head(out, "GET", "/a b", {}).has_value());
  CHECK_FALSE(append_request_head(out, "GET /x", "/", {}).has_value());
  CHECK(out == "before");
}

TEST_CASE("chunks carry their size in hexadecimal, and only the last is empty") {
  std::string out;
  append_chunk(out, as_bytes("0123456789abcdef"));
  append_chunk(out, {});
  append_last_chunk(out);
  CHECK(out == "10\r\n0123456789abcdef\r\n0\r\n\r\n");
}
