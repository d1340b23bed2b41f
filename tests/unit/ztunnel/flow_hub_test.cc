#include "ztunnel/flow_hub.h"

#include "common/io/loop.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace aquifer::ztunnel {
namespace {

using Workers = std::vector<std::unique_ptr<WorkerThread>>;

FlowBatch batch_of(std::size_t events, Verdict verdict = Verdict::allowed) {
  FlowBatch batch;
  FlowEvent event;
  event.kind = FlowKind::opened;
  event.verdict = verdict;
  batch.events.assign(events, event);
  return batch;
}

/// Everything that is there for this follower, up to its end or until it would have to wait.
coro::Task<void> read_all(FlowHub& hub, std::size_t events, std::string& seen) {
  const auto follower = hub.follow(FlowFilter());
  REQUIRE(follower != nullptr);
  hub.deliver(batch_of(events));
  for (;;) {
    const std::string piece = co_await follower->next(nullptr);
    if (piece.empty()) break;
    CHECK(piece.size() < 100'000);
    seen += piece;
  }
}

coro::Task<void> read_one(FlowHub& hub, FlowFilter filter, FlowBatch batch, std::string& seen) {
  const auto follower = hub.follow(std::move(filter));
  hub.deliver(batch_of(3));
  hub.deliver(batch);
  seen = co_await follower->next(nullptr);
}

}  // namespace

TEST_CASE(
    "a follower that does not keep up reads what was kept, then how much it lost, then the end") {
  auto loop = io::Loop::create(io::BackendChoice::epoll);
  REQUIRE(loop.has_value());
  const Workers nobody;
  FlowHub hub(**loop, nobody);
  std::string seen;
  (*loop)->run(read_all(hub, FlowHub::kQueuedLinesMax + 41, seen));
  CHECK(seen.ends_with("\n{\"event\":\"lost\",\"lost\":41,\"ends\":true}\n"));
  const auto lines = static_cast<std::size_t>(std::ranges::count(seen, '\n'));
  CHECK(lines == FlowHub::kQueuedLinesMax + 1);
}

TEST_CASE("what a worker could not hold is told, and ends nothing") {
  auto loop = io::Loop::create(io::BackendChoice::epoll);
  REQUIRE(loop.has_value());
  const Workers nobody;
  FlowHub hub(**loop, nobody);
  FlowBatch batch = batch_of(1, Verdict::denied);
  batch.lost = 7;
  std::string seen;
  (*loop)->run(read_one(hub, FlowFilter{.pod = {}, .verdict = Verdict::denied}, batch, seen));
  CHECK(seen.starts_with("{\"event\":\"lost\",\"lost\":7,\"ends\":false}\n"));
  // Only what was asked for follows.
  CHECK(std::ranges::count(seen, '\n') == 2);
  CHECK(seen.find("\"verdict\":\"denied\"") != std::string::npos);
}

TEST_CASE("only so many follow at a time, and a place that is left can be taken") {
  auto loop = io::Loop::create(io::BackendChoice::epoll);
  REQUIRE(loop.has_value());
  const Workers nobody;
  FlowHub hub(**loop, nobody);
  std::vector<std::unique_ptr<admin::BodySource>> followers;
  for (std::size_t i = 0; i < FlowHub::kFollowersMax; ++i)
    followers.push_back(hub.follow(FlowFilter()));
  CHECK(hub.follow(FlowFilter()) == nullptr);
  followers.pop_back();
  CHECK(hub.follow(FlowFilter()) != nullptr);
}

}  // namespace aquifer::ztunnel
