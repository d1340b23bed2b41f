#include "waypoint/placement.h"

#include <doctest/doctest.h>

namespace aquifer::waypoint {
namespace {

constexpr std::uint32_t kBusy = 900;
constexpr std::uint32_t kQuiet = 300;

TEST_CASE("a request moves from a loop that has clearly more to do, once one loop is too little") {
  CHECK(is_worth_moving({.here = 10, .there = 2, .cpu_permille = kBusy}));
  CHECK(!is_worth_moving({.here = 10, .there = 2, .cpu_permille = kQuiet}));
}

TEST_CASE("between loops that are about as busy none moves, nor does one after the other") {
  CHECK(!is_worth_moving({.here = 10, .there = 7, .cpu_permille = kBusy}));
  CHECK(!is_worth_moving({.here = 200, .there = 200, .cpu_permille = kBusy}));
  CHECK(!is_worth_moving({.here = 1, .there = 0, .cpu_permille = kBusy}));
}

TEST_CASE("a crowd is spread at once, whatever the loops have used so far") {
  CHECK(is_worth_moving({.here = 100, .there = 30, .cpu_permille = 0}));
  CHECK(!is_worth_moving({.here = kCrowded, .there = 0, .cpu_permille = 0}));
}

}  // namespace
}  // namespace aquifer::waypoint
