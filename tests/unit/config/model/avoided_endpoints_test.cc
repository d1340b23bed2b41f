// Endpoints that failed of late: when they are avoided, for how long, and how many are remembered.
#include "config/model/avoided_endpoints.h"

#include <doctest/doctest.h>

namespace aquifer::model {
namespace {

using namespace std::chrono_literals;

const MonoTime kStart = MonoTime() + 1h;

TEST_CASE("one failure is chance, the second is not") {
  AvoidedEndpoints avoided;
  avoided.failed(7, kStart);
  CHECK_FALSE(avoided.contains(7, kStart));
  avoided.failed(7, kStart + 1s);
  CHECK(avoided.contains(7, kStart + 1s));
  CHECK_FALSE(avoided.contains(8, kStart + 1s));
}

TEST_CASE("each further failure doubles the pause, up to the longest") {
  AvoidedEndpoints avoided;
  MonoTime now = kStart;
  avoided.failed(7, now);
  for (const auto pause : {1s, 2s, 4s, 8s, 16s, 30s, 30s}) {
    avoided.failed(7, now);
    CHECK(avoided.contains(7, now + pause - 1ms));
    CHECK_FALSE(avoided.contains(7, now + pause));
    now += pause;
  }
}

TEST_CASE("connections that were under way together count once") {
  AvoidedEndpoints avoided;
  for (int i = 0; i < 100; ++i) avoided.failed(7, kStart);
  CHECK_FALSE(avoided.contains(7, kStart + AvoidedEndpoints::kFirstPause));
}

TEST_CASE("a success, or a long time without failure, makes good") {
  AvoidedEndpoints avoided;
  avoided.failed(7, kStart);
  avoided.failed(7, kStart);
  avoided.succeeded(7);
  CHECK(avoided.empty());
  avoided.failed(7, kStart);
  avoided.failed(7, kStart + AvoidedEndpoints::kMemory + 1s);
  CHECK_FALSE(avoided.contains(7, kStart + AvoidedEndpoints::kMemory + 1s));
}

TEST_CASE("no more than so many are remembered; the oldest go first") {
  AvoidedEndpoints avoided;
  const auto count = AvoidedEndpoints::kEndpointsMax + 100;
  for (EndpointId id = 1; id <= count; ++id) {
    avoided.failed(id, kStart + std::chrono::microseconds(id));
    avoided.failed(id, kStart + std::chrono::microseconds(id));
  }
  CHECK(avoided.size() == AvoidedEndpoints::kEndpointsMax);
  CHECK(avoided.contains(count, kStart + 10ms));
  CHECK_FALSE(avoided.contains(1, kStart + 10ms));
}

}  // namespace
}  // namespace aquifer::model
