// Budgets in simulated time.
#include "common/hbone/flood_guard.h"

#include <doctest/doctest.h>

namespace aquifer::hbone {
namespace {

TEST_CASE("a burst is admitted up to its size, and comes back at its rate") {
  FloodLimits limits;
  limits.by_kind[static_cast<std::size_t>(Flood::ping)] = {.burst = 3, .per_second = 2};
  FloodGuard guard(limits);
  for (int i = 0; i < 3; ++i) CHECK(guard.admit(limits, Flood::ping, 1000));
  CHECK_FALSE(guard.admit(limits, Flood::ping, 1000));
  CHECK_FALSE(guard.admit(limits, Flood::ping, 1499));
  CHECK(guard.admit(limits, Flood::ping, 1500));
  CHECK_FALSE(guard.admit(limits, Flood::ping, 1500));
  // Never more than the burst, however long the pause.
  for (int i = 0; i < 3; ++i) CHECK(guard.admit(limits, Flood::ping, 1'000'000));
  CHECK_FALSE(guard.admit(limits, Flood::ping, 1'000'000));
}

TEST_CASE("one event a second is counted in milliseconds without loss") {
  FloodLimits limits;
  limits.by_kind[static_cast<std::size_t>(Flood::settings)] = {.burst = 1, .per_second = 1};
  FloodGuard guard(limits);
  CHECK(guard.admit(limits, Flood::settings, 0));
  for (std::uint32_t now = 1; now < 1000; ++now)
    CHECK_FALSE(guard.admit(limits, Flood::settings, now));
  CHECK(guard.admit(limits, Flood::settings, 1000));
}

TEST_CASE("the wrap of the millisecond counter costs nobody his budget") {
  FloodLimits limits;
  limits.by_kind[static_cast<std::size_t>(Flood::ping)] = {.burst = 2, .per_second = 1000};
  FloodGuard guard(limits);
  CHECK(guard.admit(limits, Flood::ping, 0xffffffff));
  CHECK(guard.admit(limits, Flood::ping, 0xffffffff));
  CHECK_FALSE(guard.admit(limits, Flood::ping, 0xffffffff));
  CHECK(guard.admit(limits, Flood::ping, 0));
}

TEST_CASE("kinds have budgets of their own, and what was earned is added") {
  FloodLimits limits;
  limits.by_kind[static_cast<std::size_t>(Flood::window_update)] = {.burst = 2, .per_second = 0};
  FloodGuard guard(limits);
  CHECK(guard.admit(limits, Flood::window_update, 5));
  CHECK(guard.admit(limits, Flood::window_update, 5));
  CHECK_FALSE(guard.admit(limits, Flood::window_update, 5));
  CHECK(guard.admit(limits, Flood::ping, 5));
  guard.earn(limits, Flood::window_update, 1);
  CHECK(guard.admit(limits, Flood::window_update, 5));
  CHECK_FALSE(guard.admit(limits, Flood::window_update, 5));
}

}  // namespace
}  // namespace aquifer::hbone
