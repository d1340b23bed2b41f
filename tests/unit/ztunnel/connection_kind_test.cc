#include "ztunnel/connection_kind.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

namespace aquifer::ztunnel {
namespace {

struct World {
  std::unique_ptr<io::Loop> loop = std::move(*io::Loop::create(io::BackendChoice::epoll));
  telemetry::Registry registry;
  telemetry::TrafficMetrics traffic{registry};
  ConnectionKinds kinds{*loop, traffic};
};

model::WorkloadPtr workload(std::string name) {
  auto made = std::make_shared<model::Workload>();
  made->ns = "shop";
  made->name = std::move(name);
  made->identity = *SpiffeId::make("cluster.local", "shop", made->name);
  return made;
}

ConnectionFacts facts(std::uint16_t client_port) {
  static const model::WorkloadPtr web = workload("web");
  static const model::WorkloadPtr api = workload("api");
  ConnectionFacts made;
  made.source_address = SocketAddress{IpAddress::loopback_v4(), client_port};
  made.destination_address = SocketAddress{IpAddress::loopback_v4(), 15008};
  made.wanted_address = SocketAddress{IpAddress::loopback_v4(), 80};
  made.hbone_address = "127.0.0.1:80";
  made.source = End{web, std::shared_ptr<const SpiffeId>(web, &web->identity)};
  made.destination = End{api, nullptr};
  return made;
}

std::shared_ptr<const DestinationNames> names(const std::string& host) {
  DestinationNames made;
  made.hosts.push_back(std::make_shared<const std::string>(host));
  return std::make_shared<const DestinationNames>(std::move(made));
}

}  // namespace

TEST_CASE("connections that differ only in their client's port are of one kind, made once") {
  World world;
  const ConnectionKindPtr first = world.kinds.of(facts(1000));
  CHECK(world.kinds.of(facts(1001)) == first);
  CHECK(first->facts.source_address.port == 0);
  CHECK(first->log.src.workload == "web");
  CHECK(first->log.src.identity == "spiffe://cluster.local/ns/shop/sa/web");
  CHECK(first->log.dst_hbone_addr == "127.0.0.1:80");
  CHECK(log_of(first).get() == &first->log);
}

TEST_CASE("whatever a policy or the log could tell apart makes another kind") {
  World world;
  const ConnectionKindPtr first = world.kinds.of(facts(1000));
  std::vector<ConnectionFacts> others(8, facts(1000));
  others[0].direction = telemetry::Direction::inbound;
  others[1].source_address.ip = IpAddress::any_v4();
  others[2].destination_address.port = 15009;
  others[3].wanted_address.port = 81;
  others[4].source.proven = nullptr;
  others[5].destination.proven = others[5].source.proven;
  others[6].names = names("api.example.com");
  // The same names under a changed record of the workload.
  others[7].destination.workload = workload("api");
  for (const ConnectionFacts& other : others) CHECK(world.kinds.of(other) != first);
  CHECK(world.kinds.size() == 9);
}

TEST_CASE("equal host names are one kind, however often they were looked up") {
  World world;
  ConnectionFacts first = facts(1000);
  ConnectionFacts second = facts(1000);
  first.names = names("api.example.com");
  second.names = names("api.example.com");
  CHECK(world.kinds.of(first) == world.kinds.of(second));
}

TEST_CASE("a kind that nobody has any more is forgotten, one in use is kept") {
  World world;
  ConnectionKindPtr used = world.kinds.of(facts(1000));
  ConnectionFacts other = facts(1000);
  other.wanted_address.port = 81;
  std::ignore = world.kinds.of(other);
  CHECK(world.loop->timers().next() == world.loop->now() + ConnectionKinds::kForgetInterval);
  world.kinds.forget_unused();
  CHECK(world.kinds.size() == 1);
  CHECK(world.kinds.of(facts(1001)) == used);
  used.reset();
  // By itself, and then nothing is left that would come again.
  world.loop->timers().expire(world.loop->now() + ConnectionKinds::kForgetInterval);
  CHECK(world.kinds.size() == 0);
  CHECK(world.loop->timers().size() == 0);
}

TEST_CASE("past its bound the book takes no more, and connections still get their kind") {
  World world;
  std::vector<ConnectionKindPtr> kept;
  for (std::size_t i = 0; i < ConnectionKinds::kKindsMax + 10; ++i) {
    ConnectionFacts each = facts(1000);
    each.wanted_address.port = static_cast<std::uint16_t>(i + 1);
    kept.push_back(world.kinds.of(each));
  }
  CHECK(world.kinds.size() == ConnectionKinds::kKindsMax);
  CHECK(kept.back()->facts.wanted_address.port == ConnectionKinds::kKindsMax + 10);
}

}  // namespace aquifer::ztunnel
