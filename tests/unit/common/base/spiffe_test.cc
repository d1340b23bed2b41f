// Identities: what is one, and what only looks like one.
#include "common/base/spiffe.h"

#include <doctest/doctest.h>

#include <unordered_set>

namespace aquifer {
namespace {

TEST_CASE("an identity gives back its parts, with and without the scheme") {
  const auto id = SpiffeId::parse("spiffe://cluster.local/ns/default/sa/client");
  REQUIRE(id.has_value());
  CHECK(id->trust_domain() == "cluster.local");
  CHECK(id->ns() == "default");
  CHECK(id->service_account() == "client");
  CHECK(id->to_string() == "spiffe://cluster.local/ns/default/sa/client");
  CHECK(id->principal() == "cluster.local/ns/default/sa/client");
  CHECK_FALSE(id->empty());
}

TEST_CASE("an identity made of parts equals the same one parsed, and hashes alike") {
  const auto made = SpiffeId::make("td", "ns1", "sa.two");
  const auto parsed = SpiffeId::parse("spiffe://td/ns/ns1/sa/sa.two");
  REQUIRE(made.has_value());
  REQUIRE(parsed.has_value());
  CHECK(*made == *parsed);
  CHECK(std::unordered_set<SpiffeId>{*made, *parsed}.size() == 1);
  CHECK(*made != *SpiffeId::make("td", "ns1", "sa.three"));
}

TEST_CASE("anything but five parts in the exact form is refused") {
  for (const char* text : {"",
                           "spiffe://",
                           "spiffe://td",
                           "spiffe://td/ns/a/sa",
                           "spiffe://td/ns/a/sa/",
                           "spiffe://td/ns/a/sa/b/",
                           "spiffe://td/ns/a/sa/b/c",
                           "spiffe:///ns/a/sa/b",
                           "spiffe://td/ns//sa/b",
                           "spiffe://td/sa/a/ns/b",
                           "spiffe://td/NS/a/sa/b",
                           "SPIFFE://td/ns/a/sa/b",
                           "https://td/ns/a/sa/b",
                           "td/ns/a/sa/b",
                           "spiffe://TD/ns/a/sa/b",
                           "spiffe://td:443/ns/a/sa/b",
                           "spiffe://user@td/ns/a/sa/b",
                           "spiffe://td/ns/a/sa/b?q",
                           "spiffe://td/ns/a/sa/b#f",
                           "spiffe://td/ns/a/sa/%62",
                           "spiffe://td/ns/../sa/b",
                           "spiffe://td/ns/a/sa/.",
                           " spiffe://td/ns/a/sa/b",
                           "spiffe://td/ns/a/sa/b "}) {
    CAPTURE(text);
    CHECK_FALSE(SpiffeId::parse(text).has_value());
  }
}

TEST_CASE("a zero byte inside an identity is refused, not cut off") {
  CHECK_FALSE(SpiffeId::parse(std::string_view("spiffe://td/ns/a/sa/b\0c", 23)).has_value());
}

TEST_CASE("an over-long trust domain or id is refused") {
  CHECK(SpiffeId::make(std::string(255, 'a'), "n", "s").has_value());
  CHECK_FALSE(SpiffeId::make(std::string(256, 'a'), "n", "s").has_value());
  CHECK_FALSE(SpiffeId::make("td", "n", std::string(2048, 's')).has_value());
}

TEST_CASE("no identity is empty and equals no real one") {
  const SpiffeId none;
  CHECK(none.empty());
  CHECK(none.principal().empty());
  CHECK(none.ns().empty());
  CHECK(none != *SpiffeId::parse("spiffe://td/ns/a/sa/b"));
}

}  // namespace
}  // namespace aquifer
