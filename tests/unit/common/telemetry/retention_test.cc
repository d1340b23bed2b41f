// What becomes of series: kept while their workload lives, forgotten a while after, printed in
// pieces.
#include "common/telemetry/metrics.h"
#include "common/telemetry/pod_metrics.h"
#include "common/telemetry/traffic_metrics.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <chrono>
#include <set>
#include <string>

namespace aquifer::telemetry {
namespace {

using namespace std::chrono_literals;
const MonoTime kNow = MonoTime() + 100h;

struct World {
  Registry registry;
  MetricGroup& group = registry.group({{.name = "things", .help = "Things."}}, R"({kind="other"})",
                                      {.series_max = 3});
  std::set<std::uint64_t> living;

  World() {
    registry.set_retention(
        {.ttl = 10min, .exists = [this](std::uint64_t owner) { return living.contains(owner); }});
  }
  void count(std::string_view kind, SeriesOwners owners) {
    Counter(group.series(render_labels({{"kind", kind}}), owners), 0).add();
  }
  bool shows(std::string_view kind, Duration later) {
    const std::string text = registry.render(kNow + later);
    return text.find(fmt::format("things_total{{kind=\"{}\"}}", kind)) != std::string::npos;
  }
};

}  // namespace

TEST_CASE("a series that rests is kept for as long as its workloads are in the mesh") {
  World world;
  world.living = {1, 2};
  world.count("both", {1, 2});
  for (const auto later : {0min, 11min, 600min}) CHECK(world.shows("both", later));
}

TEST_CASE("a series goes its time to live after one of its workloads went, and not before") {
  World world;
  world.living = {1, 2};
  world.count("both", {1, 2});
  CHECK(world.shows("both", 0min));
  CHECK(world.shows("both", 30min));
  world.living.erase(2);
  CHECK(world.shows("both", 31min));
  CHECK(world.shows("both", 40min));
  CHECK_FALSE(world.shows("both", 41min));
  CHECK(world.group.size() == 0);
}

TEST_CASE("a workload that comes back in time, as in a rollout, keeps its series and its count") {
  World world;
  world.living = {1};
  world.count("one", {1, 0});
  CHECK(world.shows("one", 0min));
  world.living.clear();
  CHECK(world.shows("one", 20min));
  world.living = {1};
  CHECK(world.shows("one", 29min));
  world.living.clear();
  CHECK(world.shows("one", 35min));
  CHECK(world.shows("one", 44min));
  CHECK_FALSE(world.shows("one", 45min));
}

TEST_CASE("a series that somebody holds never goes, whatever became of its workload") {
  World world;
  const SeriesPtr held = world.group.series(R"({kind="held"})", {1, 0});
  for (const auto later : {0min, 60min, 600min}) CHECK(world.shows("held", later));
}

TEST_CASE("when all places are taken, those that rest make room although their workloads live") {
  World world;
  world.living = {1};
  for (const char* kind : {"a", "b", "c", "d"}) world.count(kind, {1, 0});
  CHECK(world.shows("other", 0min));
  CHECK(world.shows("a", 9min));
  CHECK_FALSE(world.shows("a", 10min));
  world.count("e", {1, 0});
  CHECK(world.shows("e", 11min));
}

TEST_CASE("a scrape in pieces is the same text as in one, and no piece is much too long") {
  Registry registry;
  TrafficMetrics traffic(registry);
  for (int i = 0; i < 500; ++i) {
    TrafficLabels labels;
    labels.source.workload = fmt::format("workload-{}", i);
    TrafficCounters counters = traffic.resolve(labels);
    counters.opened();
    counters.from_client(7);
  }
  const std::string whole = registry.render(kNow);
  Scrape scrape = registry.scrape(kNow);
  std::string joined;
  std::size_t pieces = 0;
  for (bool more = true; more; ++pieces) {
    std::string piece;
    more = scrape.next(piece, 10'000);
    CHECK(piece.size() < 13'000);
    joined += piece;
  }
  CHECK(joined == whole);
  CHECK(pieces > 20);
  CHECK(joined.ends_with("# EOF\n"));
}

TEST_CASE("a metric in seconds prints exactly what was counted in nanoseconds") {
  Registry registry;
  PodMetrics pods(registry);
  const PodSeries series = pods.resolve("shop", "web-1", "node1");
  series.cost->values[PodSeries::kCpuNanoseconds] = 1'000'000'007;
  series.traffic->values[PodSeries::kOpen] = -1;
  const std::string text = registry.render(kNow);
  const std::string labels = R"({namespace="shop",pod="web-1",node="node1"})";
  CHECK(text.find("aquifer_pod_cpu_seconds_total" + labels + " 1.000000007\n") !=
        std::string::npos);
  CHECK(text.find("aquifer_pod_connections_open" + labels + " -1\n") != std::string::npos);
}

}  // namespace aquifer::telemetry
