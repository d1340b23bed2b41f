// How much may be under way at once.
#include "waypoint/upstream/circuit.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <thread>
#include <vector>

namespace aquifer::waypoint {
namespace {

TEST_CASE("each kind has its own limit, and a refusal is counted") {
  Circuits circuits;
  const auto counters = circuits.of("a");
  l7::PoolLimits limits;
  limits.requests_max = 2;
  limits.pending_max = 0;
  const Permit first = try_permit(counters, limits, CircuitKind::request);
  Permit second = try_permit(counters, limits, CircuitKind::request);
  CHECK(first);
  CHECK(second);
  CHECK_FALSE(try_permit(counters, limits, CircuitKind::request));
  CHECK_FALSE(try_permit(counters, limits, CircuitKind::pending));
  CHECK(try_permit(counters, limits, CircuitKind::connection));
  CHECK(counters->overflows == 2);
  CHECK(counters->requests == 2);
  second = Permit();
  CHECK(counters->requests == 1);
  CHECK(try_permit(counters, limits, CircuitKind::request));
}

TEST_CASE("a permit that is moved is counted once, and one that is replaced no more") {
  Circuits circuits;
  const auto counters = circuits.of("a");
  const l7::PoolLimits limits;
  {
    Permit one = try_permit(counters, limits, CircuitKind::request);
    Permit other = try_permit(counters, limits, CircuitKind::request);
    CHECK(counters->requests == 2);
    one = std::move(other);
    CHECK(counters->requests == 1);
    Permit third(std::move(one));
    CHECK(counters->requests == 1);
  }
  CHECK(counters->requests == 0);
}

TEST_CASE("a retry budget is a share of what is under way, but never less than its minimum") {
  l7::PoolLimits limits;
  CHECK(retries_allowed(limits, 100, 0) == l7::PoolLimits::kUnlimited);
  limits.retry_budget_percent = 20;
  CHECK(retries_allowed(limits, 0, 0) == 3);
  CHECK(retries_allowed(limits, 15, 0) == 3);
  CHECK(retries_allowed(limits, 80, 20) == 20);
  limits.retries_max = 10;
  CHECK(retries_allowed(limits, 80, 20) == 10);
  limits.retries_max = 1;
  CHECK(retries_allowed(limits, 0, 0) == 1);
}

TEST_CASE("a budget of no number, below nothing or above everything is no surprise") {
  l7::PoolLimits limits;
  limits.retry_budget_percent = std::numeric_limits<double>::quiet_NaN();
  CHECK(retries_allowed(limits, 1000, 0) == 3);
  limits.retry_budget_percent = -5;
  CHECK(retries_allowed(limits, 1000, 0) == 3);
  limits.retry_budget_percent = HUGE_VAL;
  CHECK(retries_allowed(limits, 1000, 0) == 1000);
  const auto most = l7::PoolLimits::kUnlimited;
  CHECK(retries_allowed(limits, most, most) == most);
}

TEST_CASE("retries are permitted against the requests that are under way") {
  Circuits circuits;
  const auto counters = circuits.of("a");
  l7::PoolLimits limits;
  limits.retry_budget_percent = 50;
  limits.retry_budget_min = 0;
  CHECK_FALSE(try_permit(counters, limits, CircuitKind::retry));
  const Permit first = try_permit(counters, limits, CircuitKind::request);
  const Permit second = try_permit(counters, limits, CircuitKind::request);
  const Permit retry = try_permit(counters, limits, CircuitKind::retry);
  CHECK(retry);
  CHECK_FALSE(try_permit(counters, limits, CircuitKind::retry));
}

TEST_CASE("threads together never hold more than the limit") {
  Circuits circuits;
  const auto counters = circuits.of("a");
  l7::PoolLimits limits;
  limits.requests_max = 3;
  std::atomic<std::uint32_t> most{0};
  std::atomic<std::uint32_t> held{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 5000; ++i) {
          const Permit permit = try_permit(counters, limits, CircuitKind::request);
          if (!permit) continue;
          const std::uint32_t now = ++held;
          std::uint32_t before = most.load();
          while (before < now && !most.compare_exchange_weak(before, now)) {
          }
          --held;
        }
      });
    }
  }
  CHECK(most <= 3);
  CHECK(counters->requests == 0);
}

TEST_CASE("a cluster's counters are the same while somebody holds them, and new afterwards") {
  Circuits circuits;
  auto first = circuits.of("a");
  first->overflows = 7;
  CHECK(circuits.of("a") == first);
  CHECK(circuits.of("b") != first);
  first.reset();
  CHECK(circuits.of("a")->overflows == 0);
}

}  // namespace
}  // namespace aquifer::waypoint
