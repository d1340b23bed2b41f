// Where queries are forwarded to.
#include "ztunnel/dns/resolv_conf.h"

#include <doctest/doctest.h>

#include <string>

namespace aquifer::ztunnel::dns {
namespace {

std::string said(const Servers& servers) {
  std::string out;
  for (const SocketAddress& server : servers) out += server.to_string() + " ";
  return out;
}

TEST_CASE("nameserver lines are taken in their order, the rest is others' business") {
  CHECK(said(parse_resolv_conf("# made by hand\n"
                               "search svc.cluster.local\n"
                               "nameserver 10.96.0.10\n"
                               "\tnameserver\t fd00::53 # main\n"
                               "nameservers 10.0.0.1\n"
                               "nameserver fe80::1%eth0\n"
                               "nameserver\n"
                               "options ndots:5\r\n"
                               "nameserver 192.0.2.1")) ==
        "10.96.0.10:53 [fd00::53]:53 192.0.2.1:53 ");
}

TEST_CASE("no more than three are asked, and none is a possible answer") {
  std::string many;
  for (int i = 1; i <= 9; ++i) many += "nameserver 10.0.0." + std::to_string(i) + "\n";
  CHECK(parse_resolv_conf(many).size() == 3);
  CHECK(parse_resolv_conf("").empty());
  CHECK(parse_resolv_conf("\n\n \n").empty());
}

TEST_CASE("the operator's list has ports where they are not 53") {
  CHECK(said(parse_servers("10.0.0.10,10.0.0.11:5353,[fd00::1]:54").value()) ==
        "10.0.0.10:53 10.0.0.11:5353 [fd00::1]:54 ");
  CHECK(said(parse_servers("fd00::1").value()) == "[fd00::1]:53 ");
}

TEST_CASE("a list that cannot be meant is refused") {
  for (const char* text : {"", ",", "10.0.0.1,", "dns.example", "10.0.0.1:0", "10.0.0.1:99999",
                           "1.1.1.1,2.2.2.2,3.3.3.3,4.4.4.4"}) {
    CAPTURE(text);
    if (std::string_view(text) == "10.0.0.1,") {
      CHECK(parse_servers(text).has_value());  // a comma too many harms nobody
    } else {
      CHECK_FALSE(parse_servers(text).has_value());
    }
  }
}

TEST_CASE("a server on the node's loopback cannot be reached from a pod") {
  CHECK(said(reachable_from_pods(parse_servers("127.0.0.53,10.0.0.1,::1").value())) ==
        "10.0.0.1:53 ");
}

}  // namespace
}  // namespace aquifer::ztunnel::dns
