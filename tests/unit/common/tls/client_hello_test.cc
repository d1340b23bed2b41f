// The server name in what TLS clients send first, whole and in pieces, and in what is no TLS.
#include "common/tls/client_hello.h"

#include "tests/unit/common/tls/client_hello_samples.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

namespace aquifer::tls {
namespace {

using Bytes = std::vector<std::uint8_t>;
using Kind = ClientHelloAnswer::Kind;

Bytes from_hex(std::string_view hex) {
  Bytes bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(
        static_cast<std::uint8_t>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

Bytes number(std::size_t value, int width) {
  Bytes bytes;
  for (int i = width - 1; i >= 0; --i) {
    bytes.push_back(static_cast<std::uint8_t>(value >> static_cast<unsigned>(8 * i)));
  }
  return bytes;
}

Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

Bytes vector(const Bytes& body, int width) {
  return number(body.size(), width) + body;
}

Bytes text(std::string_view from) {
  return {from.begin(), from.end()};
}

Bytes extension(std::size_t type, const Bytes& body) {
  return number(type, 2) + vector(body, 2);
}

Bytes server_names(const std::vector<std::string_view>& names) {
  Bytes list;
  for (const std::string_view name : names) list = list + Bytes{0} + vector(text(name), 2);
  return extension(0, vector(list, 2));
}

/// A handshake message with these extensions, without records.
Bytes hello(const Bytes& extensions) {
  const Bytes body = number(0x0303, 2) + Bytes(32, 7) + vector(Bytes(32, 9), 1) +
                     vector(number(0x1301, 2), 2) + vector(Bytes{0}, 1) + vector(extensions, 2);
  return Bytes{1} + vector(body, 3);
}

/// A message cut into records of `size` bytes.
Bytes records(const Bytes& message, std::size_t size = 16384) {
  Bytes wire;
  for (std::size_t at = 0; at < message.size(); at += size) {
    const auto end = std::min(at + size, message.size());
    const Bytes part(message.begin() + static_cast<std::ptrdiff_t>(at),
                     message.begin() + static_cast<std::ptrdiff_t>(end));
    wire = wire + Bytes{22, 3, 1} + vector(part, 2);
  }
  return wire;
}

std::string name_in(const Bytes& bytes) {
  const ClientHelloAnswer answer = look_for_server_name(bytes);
  switch (answer.kind) {
    case Kind::need_more: return "(more)";
    case Kind::no_name: return "(none)";
    case Kind::not_tls: return "(not tls)";
    case Kind::too_long: return "(too long)";
    case Kind::name: return answer.name;
  }
  return "";
}

struct Sample {
  std::string_view hex;
  std::string_view name;
};
constexpr Sample kSamples[] = {
    {test::kOpenssl, "www.example.com"}, {test::kOpensslNoName, "(none)"},
    {test::kPython, "api.example.com"},  {test::kPythonTls12, "db.example.com"},
    {test::kGo, "go.example.com"},       {test::kCurl, "curl.example.com"},
};

TEST_CASE("the server name of real clients is found") {
  for (const Sample& sample : kSamples) CHECK(name_in(from_hex(sample.hex)) == sample.name);
}

TEST_CASE("every prefix of a real client's hello asks for more, and says truly how much at least") {
  for (const Sample& sample : kSamples) {
    const Bytes whole = from_hex(sample.hex);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const auto answer = look_for_server_name(ByteView(whole).first(size));
      REQUIRE(answer.kind == Kind::need_more);
      CHECK(answer.bytes_needed > size);
      CHECK(answer.bytes_needed <= whole.size());
    }
  }
}

TEST_CASE("a hello cut into records of any size gives the same name, and so do its prefixes") {
  const Bytes message = hello(extension(16, Bytes(600, 1)) + server_names({"a.example.com"}));
  for (const std::size_t size : {12, 13, 50, 100, 699, 16384}) {
    const Bytes wire = records(message, size);
    CAPTURE(size);
    CHECK(name_in(wire) == "a.example.com");
    for (std::size_t cut = 0; cut < wire.size(); ++cut) {
      REQUIRE(look_for_server_name(ByteView(wire).first(cut)).kind == Kind::need_more);
    }
  }
}

TEST_CASE("bytes behind the hello do not matter, whether in its record or after it") {
  const Bytes message = hello(server_names({"a.example.com"}));
  CHECK(name_in(records(message) + text("early data")) == "a.example.com");
  CHECK(name_in(records(message + Bytes{20, 0, 0, 1, 0})) == "a.example.com");
}

TEST_CASE("names are compared in lower case and without a final dot") {
  CHECK(name_in(records(hello(server_names({"API.Example.COM"})))) == "api.example.com");
  CHECK(name_in(records(hello(server_names({"api.example.com."})))) == "api.example.com");
}

TEST_CASE("what is no host name is no name: it would be written into logs") {
  for (const std::string_view bad :
       {std::string_view("a b"), std::string_view("a\n.com"), std::string_view("a\0b.com", 7),
        std::string_view(""), std::string_view("."), std::string_view("\xc3\xa4.com")}) {
    CHECK(name_in(records(hello(server_names({bad})))) == "(none)");
  }
  CHECK(name_in(records(hello(server_names({std::string(254, 'a')})))) == "(none)");
}

TEST_CASE("an encrypted hello has no name, since the one in the clear is not the one meant") {
  CHECK(name_in(records(hello(server_names({"front.example.com"}) +
                              extension(0xfe0d, Bytes(50, 0))))) == "(none)");
}

TEST_CASE("two names in one hello are refused: proxy and server might take different ones") {
  CHECK(name_in(records(hello(server_names({"a.com", "b.com"})))) == "(not tls)");
  CHECK(name_in(records(hello(server_names({"a.com"}) + server_names({"b.com"})))) == "(not tls)");
}

TEST_CASE("a hello without extensions, as SSL 3.0 sent it, has no name") {
  Bytes body = number(0x0300, 2) + Bytes(32, 7) + vector({}, 1) + vector(number(5, 2), 2) +
               vector(Bytes{0}, 1);
  CHECK(name_in(records(Bytes{1} + vector(body, 3))) == "(none)");
}

TEST_CASE("other protocols are told apart at their first bytes, and wait for nothing") {
  for (const std::string_view other : {"G", "GET / HTTP/1.1\r\n", "SSH-2.0-x", "PRI * HTTP/2.0"}) {
    CHECK(name_in(text(other)) == "(not tls)");
  }
  CHECK(name_in(Bytes{22, 2}) == "(not tls)");                        // no such version
  CHECK(name_in(Bytes{21, 3, 1, 0, 2, 1, 0}) == "(not tls)");         // an alert
  CHECK(name_in(Bytes{22, 3, 1, 0, 4, 2, 0, 0, 0}) == "(not tls)");   // a ServerHello
  CHECK(name_in(Bytes{22, 3, 1, 0, 0}) == "(not tls)");               // an empty record
  CHECK(name_in(Bytes{22, 3, 1, 0x40, 1, 1}) == "(not tls)");         // a record too long
  CHECK(name_in(Bytes{22, 3, 1, 0, 1, 1, 23, 3, 3}) == "(not tls)");  // another record in between
}

TEST_CASE("lengths that do not fit together are no hello, wherever they are wrong") {
  const Bytes message = hello(server_names({"a.example.com"}));
  // Every byte that is part of a length, one too large or too small.
  const std::vector<std::size_t> lengths = {38, 72, 75, 78, 82, 84, 87};
  for (const std::size_t at : lengths) {
    for (const int by : {-1, 1}) {
      Bytes broken = message;
      broken[at] = static_cast<std::uint8_t>(broken[at] + by);
      CAPTURE(at);
      CAPTURE(by);
      CHECK(name_in(records(broken)) != "a.example.com");
    }
  }
}

TEST_CASE("a hello longer than the limit is refused as soon as it says so") {
  CHECK(name_in(Bytes{22, 3, 1, 0x10, 0, 1, 0, 0x40, 0}) == "(too long)");
  const Bytes longest = hello(server_names({"a.com"}) + extension(21, Bytes(16000, 0)));
  CHECK(longest.size() <= kClientHelloBytesMax);
  CHECK(name_in(records(longest)) == "a.com");
}

TEST_CASE("a hello cut into absurdly many records is refused before it is read") {
  const Bytes message = hello(server_names({"a.example.com"}));
  const std::size_t size = message.size() / kHelloRecordsMax + 1;
  CHECK(name_in(records(message, size)) == "a.example.com");
  CHECK(name_in(records(message, 1)) == "(too long)");
}

}  // namespace
}  // namespace aquifer::tls
