// The forwarded field, as the peer writes and reads it.
#include "common/hbone/forwarded.h"

#include <doctest/doctest.h>

namespace aquifer::hbone {
namespace {

SocketAddress address(const char* text) {
  return *SocketAddress::parse(text);
}

TEST_CASE("the source is quoted, the service's host is not") {
  CHECK(build_forwarded(address("10.231.1.2:50592"), "server.default.svc.cluster.local") ==
        "for=\"10.231.1.2:50592\";host=server.default.svc.cluster.local");
  CHECK(build_forwarded(address("10.231.1.2:50592"), "") == "for=\"10.231.1.2:50592\"");
  CHECK(build_forwarded(address("[fd00::1]:80"), "") == "for=\"[fd00::1]:80\"");
}

TEST_CASE("what is written is read back") {
  for (const char* source : {"10.0.0.1:1", "[fd00::1]:65535"}) {
    const Forwarded forwarded = parse_forwarded(build_forwarded(address(source), "a.b"));
    REQUIRE(forwarded.source.has_value());
    CHECK(*forwarded.source == address(source));
    CHECK(forwarded.host == "a.b");
  }
}

TEST_CASE("a host may be quoted, and what is not understood is absent") {
  CHECK(parse_forwarded("host=\"a.b\"").host == "a.b");
  CHECK(parse_forwarded(" Host = a.b ; proto=http").host == "a.b");
  CHECK(parse_forwarded("for=unknown;host=x").source == std::nullopt);
  CHECK(parse_forwarded("host=caf\xc3\xa9").host.empty());
  CHECK(parse_forwarded("hosts=a;;=;host") == Forwarded{});
  CHECK(parse_forwarded("") == Forwarded{});
}

}  // namespace
}  // namespace aquifer::hbone
