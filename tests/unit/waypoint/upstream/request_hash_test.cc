// What a request is hashed by, and the cookies that go with it.
#include "waypoint/upstream/request_hash.h"

#include "waypoint/upstream/cookies.h"
#include "waypoint/upstream/stable_hash.h"

#include <doctest/doctest.h>

#include <bit>
#include <string>
#include <vector>

namespace aquifer::waypoint {
namespace {

using Kind = l7::HashSource::Kind;

l7::HashSource source(Kind kind, std::string name = {}) {
  l7::HashSource result;
  result.kind = kind;
  result.name = std::move(name);
  return result;
}

l7::RequestView view(const HeaderFields& headers) {
  l7::RequestView request{.method = "GET",
                          .scheme = "http",
                          .authority = "shop",
                          .path = "/cart?user=ann&x=1",
                          .headers = headers,
                          .source = SocketAddress::parse("10.1.2.3:4444").value(),
                          .destination = {},
                          .identity = nullptr};
  return request;
}

std::optional<std::uint64_t> hash_by(const l7::HashSource& by, const l7::RequestView& request) {
  return hash_of(std::span(&by, 1), request, 1).hash;
}

TEST_CASE("each source hashes what it names") {
  const HeaderFields headers{{"X-User", "ann"}, {"cookie", "a=1; user=ann"}};
  const l7::RequestView request = view(headers);
  const std::uint64_t ann = stable_hash("ann");
  CHECK(hash_by(source(Kind::header, "x-user"), request) == ann);
  CHECK(hash_by(source(Kind::cookie, "user"), request) == ann);
  CHECK(hash_by(source(Kind::query, "user"), request) == ann);
  CHECK(hash_by(source(Kind::header, "x-other"), request) == std::nullopt);
  CHECK(hash_by(source(Kind::cookie, "other"), request) == std::nullopt);
  CHECK(hash_by(source(Kind::query, "other"), request) == std::nullopt);
}

TEST_CASE("a client's address counts without its port, and an identity without an address") {
  const HeaderFields headers;
  l7::RequestView request = view(headers);
  const auto first = hash_by(source(Kind::source_ip), request);
  request.source.port = 5555;
  CHECK(hash_by(source(Kind::source_ip), request) == first);
  request.source = SocketAddress::parse("10.1.2.4:5555").value();
  CHECK(hash_by(source(Kind::source_ip), request) != first);
  CHECK(hash_by(source(Kind::source_identity), request) == std::nullopt);
  const SpiffeId ann = SpiffeId::make("cluster.local", "shop", "ann").value();
  request.identity = &ann;
  CHECK(hash_by(source(Kind::source_identity), request) == stable_hash(ann.to_string()));
}

TEST_CASE("the first source that is there decides, and none is no hash") {
  const HeaderFields headers{{"x-b", "2"}};
  const std::vector<l7::HashSource> sources{source(Kind::header, "x-a"),
                                            source(Kind::header, "x-b"), source(Kind::source_ip)};
  CHECK(hash_of(sources, view(headers), 1).hash == stable_hash("2"));
  CHECK(hash_of({}, view(headers), 1).hash == std::nullopt);
}

TEST_CASE("a cookie with a life is made once, and hashes alike when it comes back") {
  l7::HashSource by = source(Kind::cookie, "route");
  by.cookie_ttl = std::chrono::seconds(60);
  by.cookie_path = "/cart";
  const HeaderFields none;
  const RequestHash made = hash_of(std::span(&by, 1), view(none), 99);
  REQUIRE(made.hash);
  const std::string tail = "; Path=/cart; Max-Age=60; HttpOnly";
  REQUIRE(made.set_cookie.ends_with(tail));
  const std::string pair = made.set_cookie.substr(0, made.set_cookie.size() - tail.size());
  CHECK(pair.size() == std::string("route=").size() + 16);
  const HeaderFields back{{"cookie", pair}};
  const RequestHash again = hash_of(std::span(&by, 1), view(back), 100);
  CHECK(again.hash == made.hash);
  CHECK(again.set_cookie.empty());
  CHECK(hash_of(std::span(&by, 1), view(none), 100).hash != made.hash);
}

TEST_CASE("a cookie of no life is the browser's, and one without is not made") {
  l7::HashSource by = source(Kind::cookie, "route");
  const HeaderFields none;
  CHECK(hash_of(std::span(&by, 1), view(none), 1).set_cookie.empty());
  by.cookie_ttl = std::chrono::seconds(0);
  const std::string cookie = hash_of(std::span(&by, 1), view(none), 1).set_cookie;
  CHECK(cookie.find("Max-Age") == std::string::npos);
  CHECK(cookie.ends_with("; HttpOnly"));
}

TEST_CASE("names and paths that would become other fields are not written") {
  const std::chrono::seconds life(1);
  CHECK(set_cookie_value({"a\r\nx", "v", "/", life}).empty());
  CHECK(set_cookie_value({"a;b", "v", "/", life}).empty());
  CHECK(set_cookie_value({"", "v", "/", life}).empty());
  CHECK(set_cookie_value({"a", "v", "/; Domain=evil", life}).empty());
  CHECK(set_cookie_value({"a", "v", "/\r\nx: y", life}).empty());
}

TEST_CASE("a cookie is found in any field, without quotes and blanks, by its exact name") {
  const auto find = [](std::string_view field, std::string_view name) {
    const HeaderFields headers{{"Cookie", "first=1"}, {"cookie", field}};
    return std::string(find_cookie(headers, name).value_or("none"));
  };
  CHECK(find("x=1; a=2", "a") == "2");
  CHECK(find("x=1;a=2", "a") == "2");
  CHECK(find(" a = \"2\" ;", "a") == "2");
  CHECK(find("a=2; a=3", "a") == "2");
  CHECK(find("A=2", "a") == "none");
  CHECK(find("aa=2; ba=3", "a") == "none");
  CHECK(find("a", "a") == "none");
  CHECK(find(";;;=;a==b", "a") == "=b");
  CHECK(find("a=", "a").empty());
  CHECK(find("a=\"", "a") == "\"");
  CHECK(find("x=1", "first") == "1");
}

// The figures are the promise: another build or another replica must find the same endpoint.
TEST_CASE("the stable hash never changes") {
  CHECK(stable_hash("") == stable_hash(std::string_view()));
  CHECK(stable_hash("") == 0x48218226ff3cd4bfULL);
  CHECK(stable_hash("ann") == 0x777c1a2e6d8001aULL);
  CHECK(stable_endpoint_id("Kubernetes//Pod/default/web-0", 8080) == 0x2f3d4fae904da33fULL);
}

TEST_CASE("the stable hash tells texts apart, and spreads each change over all bits") {
  CHECK(stable_hash("a") != stable_hash(std::string_view("a\0", 2)));
  CHECK(stable_hash("12345678") != stable_hash("123456781"));
  CHECK(stable_hash("a", 1) != stable_hash("a", 2));
  int flipped = 0;
  for (int bit = 0; bit < 128; ++bit) {
    std::string text = "spread me evenly";
    const std::uint64_t before = stable_hash(text);
    text[static_cast<std::size_t>(bit / 8)] ^= static_cast<char>(1 << (bit % 8));
    flipped += std::popcount(before ^ stable_hash(text));
  }
  // Half of 128 * 64 bits; the deviation is 45.
  CHECK(std::abs(flipped - 4096) < 5 * 45);
}

}  // namespace
}  // namespace aquifer::waypoint
