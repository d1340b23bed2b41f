// What a running ztunnel, or something that pretends to be one, says of its last refusals.
#include "ztunnel/explain/past_refusals.h"

#include <doctest/doctest.h>

#include <string>

namespace aquifer::ztunnel {
namespace {

TEST_CASE("the last refusals are read newest first") {
  const auto read = parse_refusals(R"({"refusals": [
    {"time": "2026-01-01T00:00:01Z", "direction": "inbound", "reason": "old"},
    {"time": "2026-01-01T00:00:02Z", "direction": "inbound", "wanted": "10.0.0.2:80",
     "source": {"address": "10.0.0.1:4711", "workload": "web", "namespace": "shop",
                "identity": "spiffe://cluster.local/ns/shop/sa/web"},
     "destination": {"address": "10.0.0.2:15008", "workload": "db", "namespace": "shop"},
     "reason": "denied", "policy": "shop/p", "detail": "rules[0].from"}]})");
  REQUIRE(read.has_value());
  REQUIRE(read->size() == 2);
  const PastRefusal& last = read->front();
  CHECK(last.time == "2026-01-01T00:00:02Z");
  CHECK(last.from == "shop/web");
  CHECK(last.identity == "spiffe://cluster.local/ns/shop/sa/web");
  CHECK(last.to == "shop/db 10.0.0.2:80");
  CHECK(last.policy == "shop/p");
  CHECK(last.detail == "rules[0].from");
  CHECK(read->back().reason == "old");
}

TEST_CASE("more refusals than anybody reads are cut") {
  std::string body = R"({"refusals": [{})";
  for (int i = 0; i < 100; ++i) body += R"(, {"reason": "x"})";
  const auto read = parse_refusals(body + "]}");
  REQUIRE(read.has_value());
  CHECK(read->size() == kRefusalsShownMax);
}

TEST_CASE("an answer of another program is no list of refusals") {
  for (const char* body :
       {"", "{", "null", "[]", "404 page not found", R"({"refusals": 1})", R"({"x": []})"}) {
    CAPTURE(body);
    CHECK_FALSE(parse_refusals(body).has_value());
  }
}

TEST_CASE("fields of a wrong type are as if they were missing") {
  const auto read = parse_refusals(
      R"({"refusals": [1, null, {"time": 5, "source": "x", "destination": [1], "reason": {}}]})");
  REQUIRE(read.has_value());
  REQUIRE(read->size() == 1);
  CHECK(read->front().time.empty());
  CHECK(read->front().from.empty());
}

}  // namespace
}  // namespace aquifer::ztunnel
