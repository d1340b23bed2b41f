// Header lists: what is written, what is accepted.
#include "common/hbone/headers.h"

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <vector>

namespace aquifer::hbone {
namespace {

using Fields = std::vector<HeaderField>;
using Kind = HeaderValidator::Kind;

Verdict judge(Kind kind, const Fields& fields) {
  HeaderValidator validator(kind);
  for (const HeaderField& field : fields) validator.add(field.name, field.value);
  return validator.finish();
}

TEST_CASE("a request is written in the order the peer writes it, absent fields are left out") {
  const ConnectRequest request{
      .authority = "10.231.2.2:8080",
      .baggage = "k8s.cluster.name=Kubernetes",
      .forwarded = "for=\"10.231.1.2:50592\"",
      .traceparent = "00-2031f3736b776da6e51d5b2377bb0347-fe1cae517d978d44-00",
      .x_forwarded_network = {}};
  std::array<HeaderField, kHeaderFieldsMax> out;
  REQUIRE(build_request(request, out) == 5);
  CHECK(out[0] == HeaderField{":method", "CONNECT"});
  CHECK(out[1] == HeaderField{":authority", "10.231.2.2:8080"});
  CHECK(out[2] == HeaderField{"baggage", "k8s.cluster.name=Kubernetes"});
  CHECK(out[3].name == "forwarded");
  CHECK(out[4].name == "traceparent");
  const ConnectRequest inner{.authority = "a:1", .x_forwarded_network = "n"};
  CHECK(build_request(inner, out) == 3);
  CHECK(out[2] == HeaderField{"x-forwarded-network", "n"});
}

TEST_CASE("an answer has three digits and, if given, baggage") {
  std::array<char, 3> digits;
  std::array<HeaderField, kHeaderFieldsMax> out;
  const ConnectResponse refusal{.status = 503};
  CHECK(build_response(refusal, digits, out) == 1);
  CHECK(out[0] == HeaderField{":status", "503"});
  const ConnectResponse answer{.status = 200, .baggage = "service.name=a"};
  CHECK(build_response(answer, digits, out) == 2);
  CHECK(out[1] == HeaderField{"baggage", "service.name=a"});
}

TEST_CASE("request header lists are judged as RFC 9113 sections 8.2, 8.3 and 8.5 say") {
  const Fields get = {
      {":method", "GET"}, {":scheme", "https"}, {":path", "/"}, {":authority", "a"}};
  const auto with = [](Fields fields, const HeaderField& more) {
    fields.push_back(more);
    return fields;
  };
  const Fields connect = {{":method", "CONNECT"}, {":authority", "a:1"}};
  CHECK(judge(Kind::request, connect) == Verdict::ok);
  CHECK(judge(Kind::request, {{":authority", "a:1"}, {":method", "CONNECT"}}) == Verdict::ok);
  CHECK(judge(Kind::request, with(connect, {"te", "trailers"})) == Verdict::ok);
  CHECK(judge(Kind::request, with(connect, {"x-anything", ""})) == Verdict::ok);
  CHECK(judge(Kind::request, get) == Verdict::other);

  const std::vector<Fields> malformed = {
      {},
      {{":method", "CONNECT"}},
      {{":method", "CONNECT"}, {":authority", ""}},
      with(connect, {":scheme", "https"}),
      with(connect, {":path", "/"}),
      with(connect, {":protocol", "websocket"}),
      with(connect, {":authority", "b:1"}),
      with(connect, {":method", "CONNECT"}),
      with(connect, {":status", "200"}),
      with(connect, {":unknown", "1"}),
      with(connect, {"", "1"}),
      with(connect, {"X-Upper", "1"}),
      with(connect, {"with space", "1"}),
      with(connect, {"a:b", "1"}),
      with(connect, {std::string_view("nul\0name", 8), "1"}),
      with(connect, {"x", " leading"}),
      with(connect, {"x", "trailing\t"}),
      with(connect, {"x", "line\r\nfeed"}),
      with(connect, {"x", std::string_view("nul\0l", 5)}),
      with(connect, {"connection", "close"}),
      with(connect, {"keep-alive", "1"}),
      with(connect, {"proxy-connection", "close"}),
      with(connect, {"transfer-encoding", "chunked"}),
      with(connect, {"upgrade", "h2c"}),
      with(connect, {"te", "gzip"}),
      with(with(connect, {"x", "1"}), {":path", "/"}),
      {{"x", "1"}, {":method", "CONNECT"}, {":authority", "a:1"}},
      {{":scheme", "https"}, {":path", "/"}},
      {{":method", "GET"}, {":path", "/"}},
      {{":method", "GET"}, {":scheme", "https"}},
      {{":method", "GET"}, {":scheme", "https"}, {":path", ""}},
      {{":method", ""}, {":scheme", "https"}, {":path", "/"}},
      with(with(get, {"content-length", "1"}), {"content-length", "2"}),
      with(get, {"content-length", "x"}),
      with(get, {"content-length", "-1"}),
      with(get, {"content-length", ""}),
  };
  for (std::size_t i = 0; i < malformed.size(); ++i) {
    CAPTURE(i);
    CHECK(judge(Kind::request, malformed[i]) == Verdict::malformed);
  }
}

TEST_CASE(
    "answers need a status of three digits; 1xx are informational, 101 does not exist (section "
    "8.6)") {
  CHECK(judge(Kind::response, {{":status", "200"}}) == Verdict::ok);
  CHECK(judge(Kind::response, {{":status", "503"}, {"content-length", "0"}}) == Verdict::ok);
  CHECK(judge(Kind::response, {{":status", "103"}}) == Verdict::other);
  for (const char* status : {"", "20", "2000", "2x0", "099", "101", "-20"}) {
    CAPTURE(status);
    CHECK(judge(Kind::response, {{":status", status}}) == Verdict::malformed);
  }
  CHECK(judge(Kind::response, {}) == Verdict::malformed);
  CHECK(judge(Kind::response, {{":status", "200"}, {":status", "200"}}) == Verdict::malformed);
  CHECK(judge(Kind::response, {{":status", "200"}, {":method", "GET"}}) == Verdict::malformed);
}

TEST_CASE("trailers carry no pseudo fields (section 8.1)") {
  CHECK(judge(Kind::trailers, {{"x", "1"}}) == Verdict::ok);
  CHECK(judge(Kind::trailers, {{":method", "GET"}}) == Verdict::malformed);
  CHECK(judge(Kind::trailers, {{":status", "200"}}) == Verdict::malformed);
}

TEST_CASE("fields we use are kept, several baggage lines are joined") {
  HeaderValidator validator(Kind::request);
  validator.add(":method", "CONNECT");
  validator.add(":authority", "10.0.0.1:80");
  validator.add("baggage", "a=1");
  validator.add("forwarded", "for=\"1.2.3.4:5\"");
  validator.add("baggage", "b=2");
  validator.add("traceparent", "t");
  validator.add("x-forwarded-network", "net");
  REQUIRE(validator.finish() == Verdict::ok);
  CHECK(validator.request() == ConnectRequest{.authority = "10.0.0.1:80",
                                              .baggage = "a=1,b=2",
                                              .forwarded = "for=\"1.2.3.4:5\"",
                                              .traceparent = "t",
                                              .x_forwarded_network = "net"});
}

TEST_CASE("an authority is an address and a port, or a host and a port") {
  const auto address = parse_authority("10.0.0.1:80");
  REQUIRE(address.has_value());
  CHECK(std::get<HboneTarget>(*address).addr.to_string() == "10.0.0.1:80");
  const auto v6 = parse_authority("[fd00::1]:15008");
  REQUIRE(v6.has_value());
  CHECK(std::get<HboneTarget>(*v6).addr.to_string() == "[fd00::1]:15008");
  const auto host = parse_authority("server.default.svc.cluster.local:8080");
  REQUIRE(host.has_value());
  CHECK(std::get<HostPort>(*host) == HostPort{"server.default.svc.cluster.local", 8080});
  for (const char* text :
       {"", ":", "host", "host:", ":80", "host:0", "10.0.0.1:0", "host:65536", "host:8x",
        "host:+80", "us@er:80", "a/b:80", "[fd00::1]", "fd00::1:80", "[zz]:80", "a b:80"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_authority(text).has_value());
  }
}

}  // namespace
}  // namespace aquifer::hbone
