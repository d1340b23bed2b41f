#include "common/base/log_fields.h"

#include <doctest/doctest.h>

using namespace aquifer::log;

namespace {
std::string quoted(std::string_view text) {
  std::string out;
  append_quoted(out, text);
  return out;
}
std::string json(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}
// 2026-11-22T22:37:40.560387Z
constexpr WallTime kTime{std::chrono::microseconds(1795387060560387)};
}  // namespace

TEST_CASE("time is RFC 3339 in UTC with microseconds") {
  std::string out;
  append_time(out, kTime);
  CHECK(out == "2026-11-22T22:37:40.560387Z");
  out.clear();
  append_time(out, WallTime(std::chrono::microseconds(7)));
  CHECK(out == "1970-01-01T00:00:00.000007Z");
}

TEST_CASE("strings are quoted as Rust's Debug does") {
  CHECK(quoted("plain") == R"("plain")");
  CHECK(quoted(R"(say "hi" \ it's)") == R"("say \"hi\" \\ it's")");
  CHECK(quoted(std::string_view("a\nb\r\t\0", 6)) == R"("a\nb\r\t\0")");
  CHECK(quoted("\x1b[31m") == R"("\u{1b}[31m")");
  CHECK(quoted("größe 日本") == "\"größe 日本\"");
}

TEST_CASE("what could rewrite a terminal's line is escaped, also outside of ASCII") {
  CHECK(quoted("\xc2\x9b") == R"("\u{9b}")");  // a control sequence introducer of one character
  CHECK(quoted("\xe2\x80\xae") == R"("\u{202e}")");  // right-to-left override
  CHECK(quoted("\x7f") == R"("\u{7f}")");
}

TEST_CASE("bytes that are no UTF-8 cannot break the line") {
  CHECK(quoted("a\xff"
               "b") == R"("a\xffb")");
  CHECK(quoted("\xc0\xaf") == R"("\xc0\xaf")");          // overlong
  CHECK(quoted("\xed\xa0\x80") == R"("\xed\xa0\x80")");  // surrogate
  CHECK(quoted("\xe6\x97") == R"("\xe6\x97")");          // cut short
  CHECK(json("a\xff") == "\"a\xef\xbf\xbd\"");
}

TEST_CASE("JSON strings are escaped as RFC 8259 section 7 says") {
  CHECK(json("a\"b\\c\nd\x01") == R"("a\"b\\c\nd\u0001")");
  CHECK(json("größe") == "\"größe\"");
}

TEST_CASE("text fields: strings in quotes, addresses and numbers bare") {
  Fields fields(Format::text);
  fields.display("src.addr", "10.0.0.1:80").str("src.workload", "client").num("bytes_sent", 76);
  CHECK(fields.rendered() == R"(src.addr=10.0.0.1:80 src.workload="client" bytes_sent=76)");
}

TEST_CASE(
    "JSON fields: strings and addresses as strings, numbers as numbers, under the same names") {
  Fields fields(Format::json);
  fields.display("src.addr", "10.0.0.1:80").str("src.workload", "client").num("bytes_sent", 76);
  CHECK(fields.rendered() == R"("src.addr":"10.0.0.1:80","src.workload":"client","bytes_sent":76)");
}

TEST_CASE("a text line has its columns between tabs") {
  std::string out;
  append_line(out, Format::text, kTime, Level::warn, "proxy::inbound", "tunnel closed", "n=1");
  CHECK(out == "2026-11-22T22:37:40.560387Z\twarn\tproxy::inbound\ttunnel closed\tn=1\n");
  out.clear();
  append_line(out, Format::text, kTime, Level::info, "app", "ready", "");
  CHECK(out == "2026-11-22T22:37:40.560387Z\tinfo\tapp\tready\n");
}

TEST_CASE("a JSON line is one object with level, time, scope, message, then the fields") {
  std::string out;
  append_line(out, Format::json, kTime, Level::info, "access", "connection \"complete\"",
              "\"n\":1");
  CHECK(out == R"({"level":"info","time":"2026-11-22T22:37:40.560387Z","scope":"access",)"
               R"("message":"connection \"complete\"","n":1})"
               "\n");
}

TEST_CASE("one event is one line, whatever its message holds") {
  std::string out;
  append_line(out, Format::text, kTime, Level::info, "app", "first\nsecond\tthird", "");
  CHECK(out == "2026-11-22T22:37:40.560387Z\tinfo\tapp\tfirst\\nsecond\\tthird\n");
}
