#include "ztunnel/same_node/node_wide.h"

#include <doctest/doctest.h>

using namespace aquifer;
using namespace aquifer::ztunnel;

namespace {

SocketAddress at(std::uint16_t port) {
  return {IpAddress::v4({10, 0, 0, 1}), port};
}

}  // namespace

TEST_CASE("a probe is taken once, and only where it was announced") {
  telemetry::Registry registry;
  SameNode node(registry);
  CHECK_FALSE(node.take_probe(at(1)));
  node.announce_probe(at(1));
  CHECK_FALSE(node.take_probe(at(2)));
  CHECK(node.take_probe(at(1)));
  CHECK_FALSE(node.take_probe(at(1)));
}

TEST_CASE("probes that nobody takes are forgotten, the oldest first") {
  telemetry::Registry registry;
  SameNode node(registry);
  for (std::uint16_t port = 1; port <= 5000; ++port) node.announce_probe(at(port));
  CHECK_FALSE(node.take_probe(at(1)));
  CHECK(node.take_probe(at(5000)));
}
