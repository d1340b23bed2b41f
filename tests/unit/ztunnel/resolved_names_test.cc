// Which host names count for an address, for how long, and what is forgotten first.
#include "ztunnel/resolved_names.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <chrono>
#include <string>

namespace aquifer::ztunnel {
namespace {

using namespace std::chrono_literals;

const MonoTime kStart = MonoTime(1000h);

IpAddress ip(std::string_view text) {
  return IpAddress::parse(text).value();
}

std::string names(const ResolvedNames& map, std::string_view address, MonoTime now = kStart) {
  std::vector<std::string> texts;
  for (const auto& name : map.names_of(ip(address), now)) texts.push_back(*name);
  return fmt::format("{}", fmt::join(texts, " "));
}

TEST_CASE("an address has the names that were resolved to it, the last one first") {
  ResolvedNames map;
  map.remember("a.example.com", ip("192.0.2.1"), 60s, kStart);
  map.remember("B.Example.Com.", ip("192.0.2.1"), 60s, kStart);
  map.remember("c.example.com", ip("2001:db8::1"), 60s, kStart);
  CHECK(names(map, "192.0.2.1") == "b.example.com a.example.com");
  CHECK(names(map, "2001:db8::1") == "c.example.com");
  CHECK(names(map, "192.0.2.2") == "");
  map.remember("a.example.com", ip("192.0.2.1"), 60s, kStart);
  CHECK(names(map, "192.0.2.1") == "a.example.com b.example.com");
}

TEST_CASE("a name counts for its TTL and the grace, and not a moment longer") {
  ResolvedNames map;
  map.remember("a.com", ip("192.0.2.1"), 60s, kStart);
  map.remember("b.com", ip("192.0.2.1"), 0s, kStart);
  const MonoTime b_ends = kStart + ResolvedNames::kGrace;
  CHECK(names(map, "192.0.2.1", b_ends - 1ns) == "b.com a.com");
  CHECK(names(map, "192.0.2.1", b_ends) == "a.com");
  CHECK(names(map, "192.0.2.1", b_ends + 60s) == "");
}

TEST_CASE("a shorter TTL later does not take back an earlier promise, and absurd TTLs are cut") {
  ResolvedNames map;
  map.remember("a.com", ip("192.0.2.1"), 1h, kStart);
  map.remember("a.com", ip("192.0.2.1"), 1s, kStart);
  CHECK(names(map, "192.0.2.1", kStart + 1h) == "a.com");
  map.remember("b.com", ip("192.0.2.2"), 10000h, kStart);
  CHECK(names(map, "192.0.2.2", kStart + ResolvedNames::kTtlMax + ResolvedNames::kGrace) == "");
}

TEST_CASE("a label with a dot inside is no name below another") {
  ResolvedNames map;
  map.remember("x\\.team.corp.example", ip("192.0.2.1"), 60s, kStart);
  CHECK(names(map, "192.0.2.1") == "");
}

TEST_CASE("names of many addresses have one bound, and the oldest address goes first") {
  ResolvedNames map;
  const std::size_t addresses = ResolvedNames::kNamesMax / ResolvedNames::kNamesPerAddressMax + 1;
  for (std::size_t a = 0; a < addresses; ++a) {
    const IpAddress address =
        IpAddress::v4({10, 0, static_cast<std::uint8_t>(a >> 8U), static_cast<std::uint8_t>(a)});
    for (std::size_t n = 0; n < ResolvedNames::kNamesPerAddressMax; ++n)
      map.remember(fmt::format("n{}.example.com", n), address, 60s, kStart);
  }
  CHECK(map.size() == addresses - 1);
  CHECK(names(map, "10.0.0.0") == "");
  CHECK(names(map, "10.0.0.1") != "");
}

TEST_CASE("of more names than the limit, the one resolved longest ago goes first") {
  ResolvedNames map;
  for (std::size_t i = 0; i < ResolvedNames::kNamesPerAddressMax; ++i) {
    map.remember(fmt::format("n{}.com", i), ip("192.0.2.1"), 60s, kStart);
  }
  map.remember("n0.com", ip("192.0.2.1"), 60s, kStart);  // again: n1 is the oldest now
  map.remember("more.com", ip("192.0.2.1"), 60s, kStart);
  const auto all = map.names_of(ip("192.0.2.1"), kStart);
  CHECK(all.size() == ResolvedNames::kNamesPerAddressMax);
  const std::string text = names(map, "192.0.2.1");
  CHECK(text.starts_with("more.com n0.com"));
  CHECK(text.ends_with("n2.com"));
}

TEST_CASE("expired names make room before living ones are pushed out") {
  ResolvedNames map;
  map.remember("lives.com", ip("192.0.2.1"), 1h, kStart);
  for (std::size_t i = 1; i < ResolvedNames::kNamesPerAddressMax; ++i) {
    map.remember(fmt::format("n{}.com", i), ip("192.0.2.1"), 1s, kStart);
  }
  const MonoTime later = kStart + 1s + ResolvedNames::kGrace;
  map.remember("new.com", ip("192.0.2.1"), 1s, later);
  CHECK(names(map, "192.0.2.1", later) == "new.com lives.com");
}

TEST_CASE("of more addresses than the limit, the one resolved longest ago goes first") {
  ResolvedNames map;
  const auto address = [](std::size_t i) {
    return IpAddress::v4(
        {10, 0, static_cast<std::uint8_t>(i / 256), static_cast<std::uint8_t>(i % 256)});
  };
  for (std::size_t i = 0; i < ResolvedNames::kAddressesMax; ++i) {
    map.remember("a.com", address(i), 60s, kStart);
  }
  map.remember("a.com", address(0), 60s, kStart);
  map.remember("a.com", ip("192.0.2.1"), 60s, kStart);
  CHECK(map.size() == ResolvedNames::kAddressesMax);
  CHECK(map.names_of(address(0), kStart).size() == 1);
  CHECK(map.names_of(address(1), kStart).empty());
  CHECK(map.names_of(address(2), kStart).size() == 1);
}

TEST_CASE("no name is remembered as a name") {
  ResolvedNames map;
  map.remember("", ip("192.0.2.1"), 60s, kStart);
  map.remember(".", ip("192.0.2.1"), 60s, kStart);
  CHECK(map.size() == 0);
}

}  // namespace
}  // namespace aquifer::ztunnel
