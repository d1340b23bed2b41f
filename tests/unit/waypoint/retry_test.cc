#include "waypoint/retry.h"

#include <doctest/doctest.h>

namespace aquifer::waypoint {
namespace {

using l7::RetryOn;
using Kind = TryEnd::Kind;

l7::RetryPolicy policy(std::initializer_list<RetryOn> conditions, bool configured = true) {
  l7::RetryPolicy made;
  for (const RetryOn condition : conditions) made.on |= static_cast<std::uint32_t>(condition);
  made.attempts = 1;
  made.configured = configured;
  return made;
}

TryEnd answered(int status, std::optional<int> grpc = {}) {
  return {.kind = Kind::answered, .status = status, .grpc_status = grpc};
}

TryEnd ended(Kind kind) {
  return {.kind = kind, .status = 0, .grpc_status = {}};
}

TEST_CASE("an answer is retried when its status is among those that were named") {
  CHECK(wants_retry(policy({RetryOn::server_error}), "GET", answered(500)));
  CHECK_FALSE(wants_retry(policy({RetryOn::server_error}), "GET", answered(404)));
  CHECK(wants_retry(policy({RetryOn::gateway_error}), "GET", answered(502)));
  CHECK_FALSE(wants_retry(policy({RetryOn::gateway_error}), "GET", answered(500)));
  CHECK(wants_retry(policy({RetryOn::retriable_4xx}), "GET", answered(409)));
  l7::RetryPolicy named = policy({RetryOn::retriable_status_codes});
  named.statuses = {429};
  CHECK(wants_retry(named, "GET", answered(429)));
  CHECK_FALSE(wants_retry(named, "GET", answered(503)));
  CHECK(wants_retry(policy({RetryOn::grpc_unavailable}), "POST", answered(200, 14)));
  CHECK_FALSE(wants_retry(policy({RetryOn::grpc_unavailable}), "POST", answered(200, 13)));
}

TEST_CASE("without a wish of the operator only what cannot do harm twice is repeated") {
  const l7::RetryPolicy usual = policy(
      {RetryOn::server_error, RetryOn::reset, RetryOn::connect_failure, RetryOn::refused_stream},
      false);
  for (const Kind kind : {Kind::connect_failed, Kind::refused})
    CHECK(wants_retry(usual, "POST", ended(kind)));
  for (const Kind kind : {Kind::reset, Kind::timed_out}) {
    CHECK_FALSE(wants_retry(usual, "POST", ended(kind)));
    CHECK(wants_retry(usual, "GET", ended(kind)));
  }
  CHECK_FALSE(wants_retry(usual, "POST", answered(500)));
  CHECK(wants_retry(usual, "PUT", answered(500)));
}

TEST_CASE("what a circuit refused is never tried again") {
  CHECK_FALSE(wants_retry(policy({RetryOn::server_error, RetryOn::connect_failure, RetryOn::reset}),
                          "GET", ended(Kind::overflow)));
}

TEST_CASE("a policy of no conditions wants nothing") {
  for (const Kind kind : {Kind::connect_failed, Kind::refused, Kind::reset, Kind::timed_out})
    CHECK_FALSE(wants_retry(policy({}), "GET", ended(kind)));
  CHECK_FALSE(wants_retry(policy({}), "GET", answered(503)));
}

TEST_CASE("pauses grow, are spread below their limit, and never exceed the maximum") {
  l7::RetryPolicy p = policy({});
  p.backoff_base = std::chrono::milliseconds(25);
  p.backoff_max = std::chrono::milliseconds(250);
  const auto most = [&](std::uint32_t number) {
    Duration longest{};
    for (std::uint64_t random = 0; random < 1'000; ++random)
      longest = std::max(longest, retry_pause(p, number, random * 7'919'113));
    return longest;
  };
  CHECK(most(1) < std::chrono::milliseconds(25));
  CHECK(most(1) > std::chrono::milliseconds(20));
  CHECK(most(2) > std::chrono::milliseconds(50));
  CHECK(most(2) < std::chrono::milliseconds(75));
  CHECK(most(50) < std::chrono::milliseconds(250));
  p.backoff_base = Duration();
  CHECK(retry_pause(p, 3, 12345) == Duration());
}

}  // namespace
}  // namespace aquifer::waypoint
