#include "waypoint/series_cache.h"

#include "tests/unit/waypoint/record_fixture.h"

#include <doctest/doctest.h>

using namespace aquifer;
using namespace aquifer::waypoint;

namespace {

struct Finder {
  SeriesCache cache;
  int made = 0;
  const void* operator()(const RequestRecord& record) {
    return cache
        .find(record,
              [this](const RequestRecord&) {
                ++made;
                return RequestSeries{std::make_shared<telemetry::Series>(), nullptr};
              })
        .counters.get();
  }
};

}  // namespace

TEST_CASE("labels are made once for a client, an endpoint and an outcome") {
  Finder find;
  const RequestRecord record = a_record();
  const void* first = find(record);
  CHECK(find(record) == first);
  CHECK(find.made == 1);
}

TEST_CASE("another connection of the same client to the same service costs nothing anew") {
  Finder find;
  RequestRecord record = a_record();
  const void* first = find(record);
  auto another = std::make_shared<Downstream>(*record.downstream);
  another->source.port = 41'000;
  record.downstream = std::move(another);
  CHECK(find(record) == first);
}

TEST_CASE("every part of an outcome has a series of its own") {
  Finder find;
  RequestRecord record = a_record();
  std::vector<const void*> seen{find(record)};
  const auto is_new = [&](const RequestRecord& changed) {
    const void* found = find(changed);
    const bool fresh = std::ranges::find(seen, found) == seen.end();
    seen.push_back(found);
    return fresh;
  };
  record.status = 503;
  CHECK(is_new(record));
  record.flags.set(Flag::no_healthy_upstream);
  CHECK(is_new(record));
  record.grpc = true;
  CHECK(is_new(record));
  record.grpc_status = 14;
  CHECK(is_new(record));
  record.upstream = workload("shop", "web");  // another record: the pod may have changed its name
  CHECK(is_new(record));
  auto other = std::make_shared<Downstream>(*record.downstream);
  other->identity = *SpiffeId::make("cluster.local", "front", "robot");
  record.downstream = std::move(other);
  CHECK(is_new(record));
}

TEST_CASE("what rests between two sweeps is let go, what is used stays") {
  Finder find;
  RequestRecord used = a_record();
  RequestRecord resting = a_record();
  resting.status = 500;
  static_cast<void>(find(used));
  static_cast<void>(find(resting));
  find.cache.sweep();
  CHECK(find.cache.size() == 2);
  static_cast<void>(find(used));
  find.cache.sweep();
  CHECK(find.cache.size() == 1);
  CHECK(find.made == 2);
}
