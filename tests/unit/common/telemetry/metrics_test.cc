#include "common/telemetry/metrics.h"

#include <doctest/doctest.h>

#include <thread>

using namespace aquifer;
using namespace aquifer::telemetry;
using namespace std::chrono_literals;

namespace {
constexpr MonoTime kNow{1h};
bool has(const std::string& text, std::string_view line) {
  return ("\n" + text).find("\n" + std::string(line) + "\n") != std::string::npos;
}
}  // namespace

TEST_CASE("a registry prints OpenMetrics text: help, type, samples, end") {
  Registry registry;
  Counter big = registry.counter("aquifer_things", "Things done.", {{"kind", "big"}});
  Gauge open = registry.gauge("aquifer_open", "Things open.");
  big.add();
  big.add(41);
  open.set(-7);
  CHECK(registry.render(kNow) ==
        "# HELP aquifer_things Things done.\n"
        "# TYPE aquifer_things counter\n"
        "aquifer_things_total{kind=\"big\"} 42\n"
        "# HELP aquifer_open Things open.\n"
        "# TYPE aquifer_open gauge\n"
        "aquifer_open -7\n"
        "# EOF\n");
}

TEST_CASE("the same name and labels give the same number, from wherever they are asked for") {
  Registry registry;
  registry.counter("aquifer_things", "Things.", {{"kind", "a"}}).add(1);
  registry.counter("aquifer_things", "Things.", {{"kind", "a"}}).add(2);
  registry.counter("aquifer_things", "Things.", {{"kind", "b"}}).add(4);
  std::string text = registry.render(kNow);
  CHECK(has(text, "aquifer_things_total{kind=\"a\"} 3"));
  CHECK(has(text, "aquifer_things_total{kind=\"b\"} 4"));
}

TEST_CASE("a label's value cannot break out of its quotes") {
  CHECK(render_labels({{"a", "x\"} 1\n\\y"}, {"b", ""}}) == R"({a="x\"} 1\n\\y",b=""})");
  CHECK(render_labels({}).empty());
}

TEST_CASE("counting from several threads loses nothing") {
  Registry registry;
  Counter counter = registry.counter("aquifer_things", "Things.");
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&registry] {
      Counter mine = registry.counter("aquifer_things", "Things.");
      for (int i = 0; i < 10'000; ++i) mine.add();
    });
  }
  for (int i = 0; i < 20; ++i) static_cast<void>(registry.render(kNow));
  for (std::thread& thread : threads) thread.join();
  CHECK(counter.value() == 40'000);
}

TEST_CASE("a handle made of nothing counts nowhere") {
  Counter counter;
  counter.add(5);
  CHECK(counter.value() == 0);
  Gauge gauge;
  gauge.set(5);
  CHECK(gauge.value() == 0);
}

TEST_CASE("a held gauge goes down when the holder goes") {
  Registry registry;
  Gauge open = registry.gauge("aquifer_open", "Open.");
  {
    GaugeHold first(open);
    GaugeHold second(open);
    CHECK(open.value() == 2);
    GaugeHold moved = std::move(first);
    CHECK(open.value() == 2);
    moved = GaugeHold();
    CHECK(open.value() == 1);
  }
  CHECK(open.value() == 0);
}

TEST_CASE("an observed number is read at each scrape") {
  Registry registry;
  std::int64_t number = 3;
  registry.observe(MetricKind::counter, "aquifer_seen", "Seen.", {{"backend", "epoll"}},
                   [&number] { return number; });
  CHECK(has(registry.render(kNow), "aquifer_seen_total{backend=\"epoll\"} 3"));
  number = 9;
  CHECK(has(registry.render(kNow + 1h), "aquifer_seen_total{backend=\"epoll\"} 9"));
}

TEST_CASE("label sets past the bound are counted together") {
  Registry registry;
  MetricGroup& group =
      registry.group({{.name = "aquifer_things", .help = "Things."}}, R"({kind="other"})",
                     {.series_max = 2, .zeros = Zeros::print});
  for (const char* kind : {"a", "b", "c", "d"}) {
    Counter counter(group.series(render_labels({{"kind", kind}})), 0);
    counter.add();
  }
  CHECK(group.size() == 2);
  std::string text = registry.render(kNow);
  CHECK(has(text, "aquifer_things_total{kind=\"a\"} 1"));
  CHECK(has(text, "aquifer_things_total{kind=\"b\"} 1"));
  CHECK(has(text, "aquifer_things_total{kind=\"other\"} 2"));
  CHECK(text.find("kind=\"c\"") == std::string::npos);
}

TEST_CASE(
    "a series nobody holds and nothing changes is forgotten after ten minutes, and not before") {
  Registry registry;
  MetricGroup& group =
      registry.group({{.name = "aquifer_things", .help = "Things."}}, "", GroupLimits());
  Counter held(group.series("{kind=\"held\"}"), 0);
  held.add();
  Counter(group.series("{kind=\"dropped\"}"), 0).add();
  static_cast<void>(registry.render(kNow));
  static_cast<void>(registry.render(kNow + 9min));
  CHECK(group.size() == 2);
  Counter(group.series("{kind=\"dropped\"}"), 0).add();  // a change starts the clock again
  static_cast<void>(registry.render(kNow + 10min));
  CHECK(group.size() == 2);
  static_cast<void>(registry.render(kNow + 19min));
  CHECK(group.size() == 2);
  std::string text = registry.render(kNow + 20min);
  CHECK(group.size() == 1);
  CHECK(text.find("dropped") == std::string::npos);
  CHECK(has(text, "aquifer_things_total{kind=\"held\"} 1"));
}

TEST_CASE("metrics of one group print each as its own family, without zeros where so chosen") {
  Registry registry;
  MetricGroup& group = registry.group({{.name = "opened", .help = "O."},
                                       {.name = "failed", .help = "F."},
                                       {.name = "never", .help = "N."}},
                                      "", {.series_max = 10, .zeros = Zeros::leave_out});
  SeriesPtr a = group.series("{x=\"a\"}");
  a->values[0] = 2;
  a->values[1] = 1;
  SeriesPtr b = group.series("{x=\"b\"}");
  b->values[0] = 5;
  std::string text = registry.render(kNow);
  CHECK(has(text, "opened_total{x=\"a\"} 2"));
  CHECK(has(text, "opened_total{x=\"b\"} 5"));
  CHECK(has(text, "failed_total{x=\"a\"} 1"));
  CHECK(text.find("failed_total{x=\"b\"}") == std::string::npos);
  CHECK(text.find("never") == std::string::npos);
  CHECK(text.find("# TYPE failed counter") > text.find("opened_total{x=\"b\"}"));
}

TEST_CASE("the content type follows what the scraper lists") {
  constexpr std::string_view kText = "text/plain; charset=utf-8";
  constexpr std::string_view kOpen = "application/openmetrics-text;charset=utf-8;version=1.0.0";
  CHECK(metrics_content_type("") == kText);
  CHECK(metrics_content_type("*/*") == kText);
  CHECK(metrics_content_type("application/openmetrics-text-like") == kText);
  CHECK(metrics_content_type("application/openmetrics-text") == kOpen);
  CHECK(metrics_content_type(
            "text/plain;q=0.5, application/openmetrics-text; version=1.0.0;q=0.9,*/*") == kOpen);
}
