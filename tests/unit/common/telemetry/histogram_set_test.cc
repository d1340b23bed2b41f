#include "common/telemetry/histogram_set.h"

#include <doctest/doctest.h>

using namespace aquifer;
using namespace aquifer::telemetry;
using namespace std::chrono_literals;

namespace {

struct World {
  Registry registry;
  MetricGroup& group = registry.group({{.name = "things", .help = "Things."}}, "{a=\"other\"}",
                                      {.series_max = 10, .zeros = Zeros::leave_out});
  HistogramSet set{{{.name = "took_milliseconds", .help = "Time.", .per_unit = 1'000'000},
                    {.name = "bytes", .help = "Sizes."}},
                   {0.5, 1, 10}};
  World() { set.add_to(registry); }
};

bool has(const std::string& text, std::string_view line) {
  return text.find(std::string("\n") + std::string(line) + "\n") != std::string::npos;
}

}  // namespace

TEST_CASE("values count in the first bucket that holds them, and in all above") {
  World world;
  const auto cells = world.set.of(world.group.series("{a=\"b\"}"));
  for (const std::uint64_t ns : {400'000U, 500'000U, 900'000U, 10'000'000U, 11'000'000U})
    world.set.observe(*cells, 0, ns);
  world.set.observe(*cells, 1, 0);
  world.set.observe(*cells, 1, 7);
  const std::string text = world.registry.render(MonoTime(1s));
  CHECK(has(text, "# TYPE took_milliseconds histogram"));
  CHECK(has(text, R"(took_milliseconds_bucket{a="b",le="0.5"} 2)"));
  CHECK(has(text, R"(took_milliseconds_bucket{a="b",le="1"} 3)"));
  CHECK(has(text, R"(took_milliseconds_bucket{a="b",le="10"} 4)"));
  CHECK(has(text, R"(took_milliseconds_bucket{a="b",le="+Inf"} 5)"));
  CHECK(has(text, R"(took_milliseconds_sum{a="b"} 22.8)"));
  CHECK(has(text, R"(took_milliseconds_count{a="b"} 5)"));
  CHECK(has(text, R"(bytes_bucket{a="b",le="0.5"} 1)"));
  CHECK(has(text, R"(bytes_bucket{a="b",le="10"} 2)"));
  CHECK(has(text, R"(bytes_sum{a="b"} 7)"));
}

TEST_CASE("the text comes in pieces of about the wanted size, and is whole together") {
  World world;
  for (const char* labels : {"{a=\"1\"}", "{a=\"2\"}", "{a=\"3\"}"})
    world.set.observe(*world.set.of(world.group.series(labels)), 0, 1);
  Scrape scrape = world.registry.scrape(MonoTime(1s));
  std::string whole;
  int pieces = 0;
  for (bool more = true; more; ++pieces) {
    std::string piece;
    more = scrape.next(piece, 100);
    CHECK(piece.size() < 1'000);
    whole += piece;
  }
  CHECK(pieces > 3);
  CHECK(whole.ends_with("# EOF\n"));
  CHECK(has(whole, R"(took_milliseconds_count{a="3"} 1)"));
  CHECK(has(whole, R"(bytes_count{a="3"} 0)"));
}

TEST_CASE("a label set goes when its counters are forgotten, and not while they live") {
  World world;
  world.registry.set_retention({.ttl = 10min, .exists = {}});
  {
    const SeriesPtr series = world.group.series("{a=\"b\"}");
    world.set.observe(*world.set.of(series), 0, 1);
  }
  MonoTime now(1s);
  static_cast<void>(world.registry.render(now));
  CHECK(world.set.size() == 1);
  now += 5min;
  CHECK(world.registry.render(now).find("took_milliseconds_count{a=\"b\"} 1") != std::string::npos);
  now += 11min;
  static_cast<void>(world.registry.render(now));
  static_cast<void>(world.registry.render(now));
  CHECK(world.set.size() == 0);
}

TEST_CASE("a series that comes back begins at nothing") {
  World world;
  const SeriesPtr first = world.group.series("{a=\"b\"}");
  const auto before = world.set.of(first);
  CHECK(world.set.of(first) == before);
  const auto other = world.set.of(world.group.series("{a=\"c\"}"));
  CHECK(other != before);
}
