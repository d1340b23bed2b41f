// The shape of slow start.
#include "waypoint/upstream/slow_start.h"

#include "tests/unit/waypoint/upstream/fixtures.h"

#include <doctest/doctest.h>

#include <limits>

namespace aquifer::waypoint {
namespace {

using namespace test;

double warmth(Duration age, double aggression = 1) {
  l7::Balancing balancing;
  balancing.slow_start = seconds(100);
  balancing.slow_start_aggression = aggression;
  Endpoint endpoint;
  endpoint.since = at({});
  return warmth_of(endpoint, balancing, at(age));
}

TEST_CASE("warmth grows in a straight line from a tenth to the whole") {
  CHECK(warmth(seconds(-5)) == doctest::Approx(0.1));
  CHECK(warmth(seconds(0)) == doctest::Approx(0.1));
  CHECK(warmth(seconds(5)) == doctest::Approx(0.1));
  CHECK(warmth(seconds(25)) == doctest::Approx(0.25));
  CHECK(warmth(seconds(99)) == doctest::Approx(0.99));
  CHECK(warmth(seconds(100)) == 1);
  CHECK(warmth(std::chrono::hours(1)) == 1);
}

TEST_CASE("aggression bends the line, and values that make no sense leave it straight") {
  CHECK(warmth(seconds(25), 2) == doctest::Approx(0.5));
  CHECK(warmth(seconds(50), 0.5) == doctest::Approx(0.25));
  for (const double odd : {0.0, -3.0, std::numeric_limits<double>::quiet_NaN()})
    CHECK(warmth(seconds(25), odd) == doctest::Approx(0.25));
}

TEST_CASE("without slow start, and for those that were always there, all is warm") {
  l7::Balancing balancing;
  Endpoint endpoint;
  endpoint.since = at({});
  CHECK(warmth_of(endpoint, balancing, at({})) == 1);
  balancing.slow_start = seconds(100);
  endpoint.since = MonoTime::min();
  CHECK(warmth_of(endpoint, balancing, at({})) == 1);
}

TEST_CASE("an endpoint that becomes ready begins to warm up then") {
  World world{pods(2)};
  world.members[1].health = model::Health::unhealthy;
  const auto cluster = world.cluster();
  world.members[1].health = model::Health::healthy;
  world.update(*cluster, at(seconds(50)));
  CHECK(endpoint_of(*cluster, "pod00001").since == at(seconds(50)));
  CHECK(endpoint_of(*cluster, "pod00000").since == MonoTime::min());
}

}  // namespace
}  // namespace aquifer::waypoint
