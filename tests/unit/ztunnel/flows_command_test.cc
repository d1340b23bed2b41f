#include "ztunnel/flows_command.h"

#include <doctest/doctest.h>

#include <string>

using namespace aquifer::ztunnel;

namespace {

constexpr const char* kOpened = R"({"event":"opened","time":"2026-11-22T22:37:40.560387Z",
  "pod":"shop/web","direction":"outbound","verdict":"allowed",
  "source":{"address":"10.1.0.2:4000","workload":"web","namespace":"shop",
            "identity":"spiffe://cluster.local/ns/shop/sa/web"},
  "destination":{"address":"10.1.0.3:15008","workload":"api-1","namespace":"shop",
                 "identity":"spiffe://cluster.local/ns/shop/sa/api"},
  "service":"api.shop.svc.cluster.local","bytesSent":512,"bytesReceived":5368709120,"ageMs":1500})";

}  // namespace

TEST_CASE("a row says when, what, whose, with whom, how much, how long, and as whom") {
  const std::string row = flow_row(kOpened, Colours::off);
  CHECK(row.starts_with("22:37:40.560  opened    shop/web "));
  CHECK(row.find(" out  shop/api-1 ") != std::string::npos);
  CHECK(row.find("api.shop.svc.cluster.local") != std::string::npos);
  CHECK(row.find("    512 B    5.0 GiB     1.5 s  ") != std::string::npos);
  CHECK(row.ends_with("cluster.local/ns/shop/sa/web -> cluster.local/ns/shop/sa/api"));
  CHECK(flow_row(kOpened, Colours::on) == "\033[32m" + row + "\033[0m");
}

TEST_CASE("a refusal says why, which policy, and what would have been needed") {
  const std::string row = flow_row(
      R"({"event":"refused","direction":"inbound","verdict":"denied","pod":"shop/api",
          "source":{"address":"10.9.9.9:1"},"destination":{"address":"10.1.0.3:80"},
          "reason":"explicitly denied by: shop/deny","policy":"shop/deny",
          "detail":"would pass if the principal were x"})",
      Colours::off);
  CHECK(row.find(" in   10.9.9.9:1 ") != std::string::npos);
  CHECK(
      row.ends_with("not proven -> not proven; explicitly denied by: shop/deny; policy shop/deny; "
                    "would pass if the principal were x"));
}

TEST_CASE("nothing in an event steers the terminal, and what is no event is shown as text") {
  const std::string row =
      flow_row(R"({"event":"failed","pod":"a/\u001b[2Jb","reason":"x\ny\u0007"})", Colours::off);
  for (const char c : row) CHECK(static_cast<unsigned char>(c) >= 0x20);
  CHECK(flow_row("no \033[31mjson", Colours::off) == "no ?[31mjson");
  CHECK(flow_row("[1,2]", Colours::off) == "[1,2]");
  CHECK(flow_row(R"({"event":7,"bytesSent":"x","source":3})", Colours::off).find('?') !=
        std::string::npos);
}

TEST_CASE("a row tells how many events its reader was too slow for") {
  CHECK(flow_row(R"({"event":"lost","lost":12,"ends":true})", Colours::off) ==
        "... 12 events were lost: the reader was too slow, and is cut off");
}
