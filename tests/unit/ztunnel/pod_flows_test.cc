#include "ztunnel/pod_flows.h"

#include "common/io/loop.h"
#include "ztunnel/live_connection.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace aquifer::ztunnel {
namespace {

model::WorkloadPtr workload(std::string ns, std::string name) {
  auto made = std::make_shared<model::Workload>();
  made->ns = std::move(ns);
  made->name = std::move(name);
  return made;
}

ConnectionFacts facts(telemetry::Direction direction) {
  ConnectionFacts made;
  made.direction = direction;
  made.source_address = SocketAddress{IpAddress::loopback_v4(), 4000};
  made.destination_address = SocketAddress{IpAddress::loopback_v4(), 15008};
  made.hbone_address = "127.0.0.1:80";
  made.source.workload = workload("shop", "web");
  made.source.proven =
      std::make_shared<const SpiffeId>(*SpiffeId::parse("spiffe://cluster.local/ns/shop/sa/web"));
  made.destination.workload = workload("shop", "api");
  return made;
}

const Refusal kDenied{telemetry::ResponseFlag::deny,
                      "connection closed due to policy rejection: explicitly denied by: shop/deny",
                      "shop/deny", "rule 1 matched"};

/// A pod's flows on a loop that does not run; followed or not.
struct World {
  std::unique_ptr<io::Loop> loop = std::move(*io::Loop::create(io::BackendChoice::epoll));
  telemetry::Registry registry;
  telemetry::TrafficMetrics traffic{registry};
  FlowJournal journal{*loop};
  PodFlows flows{*loop, journal};
  coro::Scope scope;
  LiveConnections list{*loop, traffic, flows, scope};
  ConnectionKinds kinds{*loop, traffic};
  std::vector<FlowEvent> events;
  std::uint64_t lost = 0;

  void follow() {
    journal.follow([this](FlowBatch batch) {
      for (FlowEvent& event : batch.events) events.push_back(std::move(event));
      lost += batch.lost;
    });
  }
  /// Time passes.
  void flush() { loop->timers().expire(loop->now() + std::chrono::seconds(1)); }

  std::unique_ptr<LiveConnection> open(const ConnectionFacts& of) {
    return std::make_unique<LiveConnection>(list, kinds.of(of), of.source_address);
  }
};

std::vector<FlowKind> kinds(const std::vector<FlowEvent>& events) {
  std::vector<FlowKind> result;
  for (const FlowEvent& event : events) result.push_back(event.kind);
  return result;
}

}  // namespace

TEST_CASE("a refused connection is remembered with both ends, the policy and the clause") {
  World world;
  const ConnectionFacts of = facts(telemetry::Direction::inbound);
  world.open(of)->refuse(kDenied);
  const auto refusals = world.flows.refusals();
  REQUIRE(refusals.size() == 1);
  const auto json = to_json(refusals.front());
  CHECK(json["event"] == "refused");
  CHECK(json["verdict"] == "denied");
  CHECK(json["pod"] == "shop/api");
  CHECK(json["direction"] == "inbound");
  CHECK(json["source"]["identity"] == "spiffe://cluster.local/ns/shop/sa/web");
  CHECK_FALSE(json["destination"].contains("identity"));
  CHECK(json["policy"] == "shop/deny");
  CHECK(json["detail"] == "rule 1 matched");
  CHECK(json["reason"] == kDenied.reason);
  CHECK(world.flows.counts.refused == 1);
}

TEST_CASE("only the last refusals of a pod are kept, oldest first") {
  World world;
  for (std::size_t i = 0; i < PodFlows::kRefusalsMax + 5; ++i)
    world.flows.turned_away(facts(telemetry::Direction::outbound), std::to_string(i));
  const auto refusals = world.flows.refusals();
  REQUIRE(refusals.size() == PodFlows::kRefusalsMax);
  CHECK(refusals.front().reason == "5");
  CHECK(refusals.back().reason == std::to_string(PodFlows::kRefusalsMax + 4));
  CHECK(world.flows.counts.refused == PodFlows::kRefusalsMax + 5);
}

TEST_CASE("followers hear of a connection that failed, was drained or refused, each in one word") {
  World world;
  world.follow();
  const ConnectionFacts of = facts(telemetry::Direction::outbound);
  world.open(of)->fail(telemetry::ResponseFlag::connect, "connection failed: why");
  world.open(of).reset();
  world.open(of)->refuse(kDenied);
  world.flows.turned_away(of, "no healthy upstream: 127.0.0.1:80");
  world.flush();
  CHECK(kinds(world.events) ==
        std::vector{FlowKind::failed, FlowKind::failed, FlowKind::refused, FlowKind::refused});
  CHECK(world.events[0].reason == "connection failed: why");
  CHECK(world.events[0].verdict == Verdict::allowed);
  CHECK(world.events[1].reason == "connection closed due to connection drain");
  CHECK(world.events[2].verdict == Verdict::denied);
  CHECK(world.flows.counts.opened == 3);
}

TEST_CASE("bytes are told as the pod sees them, whichever side it is") {
  for (const auto direction : {telemetry::Direction::outbound, telemetry::Direction::inbound}) {
    World world;
    world.follow();
    const ConnectionFacts of = facts(direction);
    {
      const auto live = world.open(of);
      live->record().from_client(10);
      live->record().to_client(3);
      live->succeed();
    }
    world.flush();
    REQUIRE(world.events.size() == 1);
    const bool outbound = direction == telemetry::Direction::outbound;
    CHECK(world.events[0].bytes_sent == (outbound ? 10 : 3));
    CHECK(world.events[0].bytes_received == (outbound ? 3 : 10));
    CHECK(world.flows.counts.bytes.sent == (outbound ? 10 : 3));
    CHECK(world.flows.counts.bytes.received == (outbound ? 3 : 10));
  }
}

TEST_CASE("a burst past a batch is counted as lost, and nothing is kept when nobody follows") {
  World world;
  const ConnectionFacts of = facts(telemetry::Direction::outbound);
  const auto live = world.open(of);
  const std::size_t timers = world.loop->timers().size();
  world.flows.opened(of, live->record());
  CHECK(world.loop->timers().size() == timers);
  world.follow();
  for (std::size_t i = 0; i < FlowJournal::kBatchEventsMax + 7; ++i)
    world.flows.opened(of, live->record());
  world.flush();
  CHECK(world.events.size() == FlowJournal::kBatchEventsMax);
  CHECK(world.lost == 7);
  world.flows.opened(of, live->record());
  world.journal.follow(nullptr);
  CHECK(world.loop->timers().size() == timers);
}

TEST_CASE("a filter takes one pod, and one verdict") {
  FlowEvent event;
  event.facts = facts(telemetry::Direction::outbound);
  CHECK(FlowFilter().wants(event));
  CHECK(FlowFilter{.pod = "shop/web", .verdict = Verdict::allowed}.wants(event));
  CHECK_FALSE(FlowFilter{.pod = "shop/api", .verdict = {}}.wants(event));
  CHECK_FALSE(FlowFilter{.pod = {}, .verdict = Verdict::denied}.wants(event));
}

TEST_CASE("a time is told as RFC 3339 with microseconds") {
  using namespace std::chrono;
  CHECK(rfc3339(system_clock::time_point(seconds(1'700'000'000) + microseconds(42))) ==
        "2023-11-14T22:13:20.000042Z");
}

}  // namespace aquifer::ztunnel
