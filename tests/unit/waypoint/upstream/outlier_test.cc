// Endpoints that fail are left out for a while, by all loops, and come back by themselves.
#include "waypoint/upstream/outlier.h"

#include "tests/unit/waypoint/upstream/fixtures.h"

#include <doctest/doctest.h>

#include <thread>
#include <vector>

namespace aquifer::waypoint {
namespace {

using namespace test;

void watch(World& world, std::uint32_t failures = 3) {
  world.config.outlier.emplace();
  world.config.outlier->consecutive_5xx = failures;
  world.config.outlier->ejected_percent_max = 100;
}

void fail_times(Cluster& cluster, std::string_view name, int times, MonoTime now = at({})) {
  for (int i = 0; i < times; ++i) report(cluster, name, now, Outcome::answered, 500);
}

bool is_out(const Cluster& cluster, std::string_view name, MonoTime now) {
  return cluster.is_ejected(endpoint_of(cluster, name), now);
}

TEST_CASE("an endpoint that fails several times in a row is left out") {
  World world;
  watch(world);
  const auto cluster = world.cluster();
  fail_times(*cluster, "pod00001", 2);
  CHECK(tally(*cluster, 100).count("pod00001") == 1);
  fail_times(*cluster, "pod00001", 1);
  CHECK(is_out(*cluster, "pod00001", at({})));
  CHECK(tally(*cluster, 100).count("pod00001") == 0);
  CHECK(cluster->circuit()->ejections.total() == 1);
  CHECK(cluster->circuit()->ejections.ejected(at({})) == 1);
}

TEST_CASE("a success in between forgives, and what the client broke off says nothing") {
  World world;
  watch(world);
  const auto cluster = world.cluster();
  fail_times(*cluster, "pod00001", 2);
  report(*cluster, "pod00001", at({}), Outcome::answered, 404);
  fail_times(*cluster, "pod00001", 2);
  report(*cluster, "pod00001", at({}), Outcome::cancelled);
  CHECK_FALSE(is_out(*cluster, "pod00001", at({})));
  fail_times(*cluster, "pod00001", 1);
  CHECK(is_out(*cluster, "pod00001", at({})));
}

TEST_CASE("it comes back by itself, and stays away longer each time") {
  World world;
  watch(world, 1);
  const auto cluster = world.cluster();
  MonoTime now = at({});
  for (const int length : {30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 300}) {
    CAPTURE(length);
    fail_times(*cluster, "pod00001", 1, now);
    CHECK(tally(*cluster, 50, now + seconds(length) - milliseconds(1)).count("pod00001") == 0);
    now += seconds(length);
    CHECK(tally(*cluster, 50, now).count("pod00001") == 1);
  }
  SUBCASE("and is forgiven one step for each interval of peace") {
    now += seconds(10 * 9);
    fail_times(*cluster, "pod00001", 1, now);
    CHECK(is_out(*cluster, "pod00001", now + seconds(89)));
    CHECK_FALSE(is_out(*cluster, "pod00001", now + seconds(90)));
  }
  SUBCASE("until nothing is left of it") {
    now += std::chrono::hours(1);
    fail_times(*cluster, "pod00001", 1, now);
    CHECK_FALSE(is_out(*cluster, "pod00001", now + seconds(30)));
  }
}

TEST_CASE("what was under way when it was left out is not held against it on its return") {
  World world{pods(2)};
  watch(world);
  const auto cluster = world.cluster();
  PickRequest request;
  request.now = at({});
  request.preferred = endpoint_of(*cluster, "pod00001").id;
  std::vector<Lease> under_way;
  for (int i = 0; i < 2; ++i) under_way.push_back(cluster->pick(request).value());
  fail_times(*cluster, "pod00001", 3);
  for (Lease& lease : under_way) lease.done(at(seconds(1)), Outcome::reset);
  fail_times(*cluster, "pod00001", 2, at(seconds(30)));
  CHECK_FALSE(is_out(*cluster, "pod00001", at(seconds(30))));
  fail_times(*cluster, "pod00001", 1, at(seconds(30)));
  CHECK(is_out(*cluster, "pod00001", at(seconds(30))));
}

TEST_CASE("two loops agree: failures add up, and who is left out is left out for both") {
  World world;
  watch(world, 4);
  const auto one = world.cluster();
  const auto other = world.cluster();
  REQUIRE(one->circuit() == other->circuit());
  fail_times(*one, "pod00001", 2);
  fail_times(*other, "pod00001", 2);
  CHECK(tally(*one, 100).count("pod00001") == 0);
  CHECK(tally(*other, 100).count("pod00001") == 0);
  CHECK(one->circuit()->ejections.total() == 1);
  CHECK(tally(*one, 100, at(seconds(31))).count("pod00001") == 1);
  CHECK(tally(*other, 100, at(seconds(31))).count("pod00001") == 1);
}

TEST_CASE("gateway errors have a limit of their own, and other errors end their row") {
  World world;
  watch(world, 0);
  world.config.outlier->consecutive_gateway_errors = 3;
  const auto cluster = world.cluster();
  fail_times(*cluster, "pod00000", 20);
  CHECK_FALSE(is_out(*cluster, "pod00000", at({})));
  for (const int status : {502, 503, 500, 503, 504})
    report(*cluster, "pod00000", at({}), Outcome::answered, status);
  CHECK_FALSE(is_out(*cluster, "pod00000", at({})));
  report(*cluster, "pod00000", at({}), Outcome::answered, 502);
  CHECK(is_out(*cluster, "pod00000", at({})));
}

TEST_CASE("failures of connections count as gateway errors, or by themselves if they are split") {
  const auto fail_locally = [](Cluster& cluster) {
    report(cluster, "pod00000", at({}), Outcome::connect_failed);
    report(cluster, "pod00000", at({}), Outcome::timed_out);
    report(cluster, "pod00000", at({}), Outcome::reset);
  };
  World world;
  watch(world);
  SUBCASE("together") {
    const auto cluster = world.cluster();
    fail_locally(*cluster);
    CHECK(is_out(*cluster, "pod00000", at({})));
  }
  SUBCASE("split, and nobody asks for them") {
    world.config.outlier->split_local = true;
    const auto cluster = world.cluster();
    fail_locally(*cluster);
    CHECK_FALSE(is_out(*cluster, "pod00000", at({})));
  }
  SUBCASE("split: an answer, even an error, says that the connection works") {
    world.config.outlier->split_local = true;
    world.config.outlier->consecutive_local_failures = 4;
    const auto cluster = world.cluster();
    fail_locally(*cluster);
    report(*cluster, "pod00000", at({}), Outcome::answered, 500);
    fail_locally(*cluster);
    CHECK_FALSE(is_out(*cluster, "pod00000", at({})));
    report(*cluster, "pod00000", at({}), Outcome::reset);
    CHECK(is_out(*cluster, "pod00000", at({})));
  }
}

TEST_CASE(
    "no more than the given share is left out, but one always may be, unless it is the last") {
  World world{pods(10)};
  watch(world, 1);
  world.config.outlier->ejected_percent_max = 30;
  const auto cluster = world.cluster();
  for (const Pod& pod : world.members) fail_times(*cluster, pod.name, 1);
  CHECK(cluster->circuit()->ejections.ejected(at({})) == 3);
  CHECK(cluster->circuit()->ejections.refused() == 7);

  World few{pods(2)};
  watch(few, 1);
  few.config.outlier->ejected_percent_max = 10;
  const auto pair = few.cluster();
  fail_times(*pair, "pod00000", 1);
  fail_times(*pair, "pod00001", 1);
  CHECK(is_out(*pair, "pod00000", at({})));
  CHECK_FALSE(is_out(*pair, "pod00001", at({})));

  World lone{pods(1)};
  watch(lone, 1);
  lone.config.outlier->ejected_percent_max = 99;
  const auto only = lone.cluster();
  fail_times(*only, "pod00000", 5);
  CHECK_FALSE(is_out(*only, "pod00000", at({})));

  World nobody{pods(5)};
  watch(nobody, 1);
  nobody.config.outlier->ejected_percent_max = 0;
  const auto safe = nobody.cluster();
  fail_times(*safe, "pod00000", 5);
  CHECK_FALSE(is_out(*safe, "pod00000", at({})));
}

TEST_CASE("when all are left out nobody is there") {
  World world{pods(2)};
  watch(world, 1);
  const auto cluster = world.cluster();
  fail_times(*cluster, "pod00000", 1);
  fail_times(*cluster, "pod00001", 1);
  CHECK(tally(*cluster, 10) == Tally{{"nobody", 10}});
  CHECK(tally(*cluster, 100, at(seconds(30))).size() == 2);
}

TEST_CASE("below the healthy percentage nobody is left out") {
  World world{pods(4)};
  watch(world, 1);
  world.config.outlier->healthy_percent_min = 50;
  const auto cluster = world.cluster();
  fail_times(*cluster, "pod00000", 1);
  fail_times(*cluster, "pod00001", 1);
  CHECK(tally(*cluster, 400).size() == 2);
  fail_times(*cluster, "pod00002", 1);
  CHECK(tally(*cluster, 400).size() == 4);
  SUBCASE("but those that are not ready stay out") {
    world.members[3].health = model::Health::unhealthy;
    world.update(*cluster, at(seconds(1)));
    CHECK(tally(*cluster, 400, at(seconds(1))).size() == 3);
  }
}

TEST_CASE("in a panic health is ignored altogether") {
  World world{pods(4)};
  world.config.balancing.panic_percent = 50;
  const auto cluster = world.cluster();
  for (std::size_t i = 0; i < 2; ++i) world.members[i].health = model::Health::unhealthy;
  world.update(*cluster, at(seconds(1)));
  CHECK(tally(*cluster, 400, at(seconds(1))).size() == 2);
  world.members[2].health = model::Health::unhealthy;
  world.update(*cluster, at(seconds(2)));
  CHECK(tally(*cluster, 400, at(seconds(2))).size() == 4);
  world.members[3].health = model::Health::unhealthy;
  world.update(*cluster, at(seconds(3)));
  CHECK(tally(*cluster, 400, at(seconds(3))).size() == 4);
}

TEST_CASE(
    "an endpoint that stays stays left out when the mesh changes; a rule that goes lets it in") {
  World world;
  watch(world, 1);
  const auto cluster = world.cluster();
  fail_times(*cluster, "pod00001", 1);
  world.members[1].address = "10.8.8.8";
  world.members.push_back({.name = "zzz", .address = "10.8.8.9"});
  world.update(*cluster, at(seconds(1)));
  CHECK(tally(*cluster, 100, at(seconds(1))).count("pod00001") == 0);
  world.config.outlier.reset();
  world.update(*cluster, at(seconds(2)));
  CHECK(tally(*cluster, 100, at(seconds(2))).count("pod00001") == 1);
}

TEST_CASE("times that make no sense leave out for a moment, not for ever") {
  World world;
  watch(world, 1);
  world.config.outlier->base_ejection = Duration::min();
  world.config.outlier->ejection_max = Duration::min();
  world.config.outlier->interval = Duration::zero();
  const auto cluster = world.cluster();
  fail_times(*cluster, "pod00000", 1);
  CHECK_FALSE(is_out(*cluster, "pod00000", at(seconds(1))));
  world.config.outlier->base_ejection = Duration::max();
  world.config.outlier->ejection_max = Duration::max();
  world.update(*cluster, at(seconds(1)));
  fail_times(*cluster, "pod00001", 1, at(seconds(1)));
  CHECK(is_out(*cluster, "pod00001", at(std::chrono::hours(24))));
}

// Under TSan this is about the data shared; everywhere it is about agreeing on how many.
TEST_CASE("loops on threads of their own never leave out more than the share, nor one twice") {
  World world{pods(10)};
  watch(world, 2);
  world.config.outlier->ejected_percent_max = 50;
  std::vector<std::shared_ptr<Cluster>> loops;
  for (int i = 0; i < 4; ++i) loops.push_back(world.cluster());
  {
    std::vector<std::jthread> threads;
    for (const auto& loop : loops) {
      threads.emplace_back([&loop] {
        Dice dice;
        for (int i = 0; i < 3000; ++i) {
          auto lease = loop->pick(dice.request());
          if (lease) lease->done(at({}), Outcome::answered, 500);
        }
      });
    }
  }
  const Ejections& ejections = loops[0]->circuit()->ejections;
  CHECK(ejections.ejected(at({})) == 5);
  CHECK(ejections.total() == 5);
  for (const auto& loop : loops) CHECK(tally(*loop, 500).size() == 5);
}

TEST_CASE("of two loops that reach the limit at once one leaves the endpoint out") {
  Ejections ejections;
  const l7::OutlierDetection rules;
  const auto record = ejections.record_of(1);
  CHECK(ejections.eject(*record, rules, 20, at({})));
  CHECK_FALSE(ejections.eject(*record, rules, 20, at({})));
  CHECK(ejections.total() == 1);
  CHECK(record->returns() == at(rules.base_ejection));
}

TEST_CASE("the records of endpoints that are gone are dropped") {
  Ejections ejections;
  std::weak_ptr<FailureRecord> gone = ejections.record_of(1);
  CHECK(gone.expired());
  const auto kept = ejections.record_of(2);
  CHECK(ejections.record_of(2) == kept);
  for (model::EndpointId id = 3; id < 10'000; ++id) static_cast<void>(ejections.record_of(id));
  CHECK(ejections.record_of(2) == kept);
}

}  // namespace
}  // namespace aquifer::waypoint
