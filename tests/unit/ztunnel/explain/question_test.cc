// What people type behind --from, --to and -H, and what they are told when it cannot be read.
#include "ztunnel/explain/question.h"

#include <doctest/doctest.h>

#include <string>

namespace aquifer::ztunnel {
namespace {

TEST_CASE("a source is a pod or an address") {
  const auto pod = parse_source("shop/web-1");
  REQUIRE(pod.has_value());
  CHECK(pod->ns == "shop");
  CHECK(pod->pod == "web-1");
  CHECK_FALSE(pod->address.has_value());
  CHECK(parse_source("10.0.0.1")->address == *IpAddress::parse("10.0.0.1"));
  CHECK(parse_source("fd00::1")->address == *IpAddress::parse("fd00::1"));
}

TEST_CASE("what is neither pod nor address is told what to write") {
  for (const char* text :
       {"", "web", "/web", "shop/", "a/b/c", "shop/we b", "10.0.0.256", "shop/w\x1b[31m"}) {
    CAPTURE(text);
    const auto source = parse_source(text);
    REQUIRE_FALSE(source.has_value());
    CHECK(source.error().starts_with("--from \""));
    CHECK(source.error().ends_with(": write NAMESPACE/POD, such as shop/web-1, or an IP address"));
    CHECK_FALSE(source.error().contains('\x1b'));
  }
  CHECK(parse_source(std::string(100'000, 'a') + "/b").error().size() < 200);
}

TEST_CASE("a destination is a host or an address, with a port") {
  const auto host = parse_destination("Web.Shop.svc.cluster.local.:80");
  REQUIRE(host.has_value());
  CHECK(host->host == "web.shop.svc.cluster.local");
  CHECK(host->port == 80);
  CHECK_FALSE(host->address.has_value());
  CHECK(parse_destination("_grpc.web-1:65535")->host == "_grpc.web-1");
  CHECK(parse_destination("10.96.0.1:80")->address == *IpAddress::parse("10.96.0.1"));
  CHECK(parse_destination("[fd00::1]:443")->address == *IpAddress::parse("fd00::1"));
}

TEST_CASE("a destination that cannot be read is told why, in one line") {
  struct Row {
    const char* text;
    const char* why;
  };
  for (const Row& row : {
           Row{"", "the port is missing"},
           {"web", "the port is missing"},
           {"web:", "the port must be a number from 1 to 65535"},
           {"web:0", "the port must be a number from 1 to 65535"},
           {"web:65536", "the port must be a number from 1 to 65535"},
           {"web:http", "the port must be a number from 1 to 65535"},
           {"web: 80", "the port must be a number from 1 to 65535"},
           {"web:+80", "the port must be a number from 1 to 65535"},
           {"web:99999999999999999999", "the port must be a number from 1 to 65535"},
           {":80", "that is no host name"},
           {".:80", "that is no host name"},
           {"a..b:80", "that is no host name"},
           {"we b:80", "that is no host name"},
           {"http://web:80", "an IPv6 address needs brackets and a port"},
           {"fd00::1:80", "an IPv6 address needs brackets and a port"},
           {"[web]:80", "what stands in brackets is no IPv6 address"},
           {"[]:80", "what stands in brackets is no IPv6 address"},
           {"[10.0.0.1]:80", "only IPv6 addresses have brackets"},
           {"0.0.0.0:80", "nobody can connect to the unspecified address"},
           {"[::]:80", "nobody can connect to the unspecified address"},
       }) {
    CAPTURE(row.text);
    const auto destination = parse_destination(row.text);
    REQUIRE_FALSE(destination.has_value());
    CHECK(destination.error().starts_with(std::string("--to \"") + row.text + "\": " + row.why +
                                          "; "));
  }
  CHECK_FALSE(parse_destination(std::string(254, 'a') + ":80").has_value());
  CHECK(parse_destination(std::string(100'000, 'a') + ":80").error().size() < 250);
}

TEST_CASE("a header is a name, a colon and a value") {
  CHECK(parse_header("x-user: mia") == std::pair<std::string, std::string>("x-user", "mia"));
  CHECK(parse_header("x:") == std::pair<std::string, std::string>("x", ""));
  CHECK(parse_header("x: a:b ") == std::pair<std::string, std::string>("x", "a:b"));
  for (const char* text : {"", "x", ": v", "a b: c", "a\n: c"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_header(text).has_value());
  }
}

}  // namespace
}  // namespace aquifer::ztunnel
