// Counts up to bounds, and their text.
#include "common/telemetry/histogram.h"

#include "common/telemetry/metrics.h"

#include <doctest/doctest.h>

#include <string>

namespace aquifer::telemetry {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

const MonoTime kStart = MonoTime() + std::chrono::hours(1);

HistogramGroup::Info info() {
  HistogramGroup::Info result;
  result.name = "took_seconds";
  result.help = "How long.";
  result.bounds_seconds = {.0005, .01, 1};
  result.overflow_labels = "{a=\"other\"}";
  result.series_max = 2;
  return result;
}

std::string text(HistogramGroup& group, MonoTime now = kStart) {
  std::string out;
  group.render(out, now);
  return out;
}

TEST_CASE("each observation is counted in every bucket that it is below, and in the sum") {
  HistogramGroup group(info());
  Histogram histogram = group.with("{a=\"b\"}");
  histogram.observe(microseconds(500));  // on the bound is within it
  histogram.observe(milliseconds(5));
  histogram.observe(seconds(2));
  CHECK(histogram.count() == 3);
  CHECK(text(group) ==
        "# HELP took_seconds How long.\n"
        "# TYPE took_seconds histogram\n"
        "took_seconds_bucket{a=\"b\",le=\"0.0005\"} 1\n"
        "took_seconds_bucket{a=\"b\",le=\"0.01\"} 2\n"
        "took_seconds_bucket{a=\"b\",le=\"1\"} 2\n"
        "took_seconds_bucket{a=\"b\",le=\"+Inf\"} 3\n"
        "took_seconds_sum{a=\"b\"} 2.0055\n"
        "took_seconds_count{a=\"b\"} 3\n");
}

TEST_CASE(
    "without labels the bound is the only one, and a clock that went back counts as no time") {
  HistogramGroup group(info());
  group.with("").observe(-seconds(1));
  CHECK(text(group).contains("took_seconds_bucket{le=\"0.0005\"} 1\n"));
  CHECK(text(group).contains("took_seconds_sum 0\n"));
}

TEST_CASE("a histogram without observations is not printed") {
  HistogramGroup group(info());
  const Histogram unused = group.with("{a=\"b\"}");
  CHECK(unused.count() == 0);
  CHECK(text(group).empty());
  Histogram nowhere;
  nowhere.observe(seconds(1));
  CHECK(nowhere.count() == 0);
}

TEST_CASE("past its limit, label sets are counted together") {
  HistogramGroup group(info());
  for (const char* labels : {"{a=\"1\"}", "{a=\"2\"}", "{a=\"3\"}", "{a=\"4\"}"})
    group.with(labels).observe(seconds(1));
  CHECK(group.size() == 2);
  CHECK(text(group).contains("took_seconds_count{a=\"other\"} 2\n"));
}

TEST_CASE("a series that nobody holds and nothing touches is forgotten after a while") {
  HistogramGroup group(info());
  Histogram held = group.with("{a=\"held\"}");
  held.observe(seconds(1));
  group.with("{a=\"idle\"}").observe(seconds(1));
  std::ignore = text(group, kStart);
  std::ignore = text(group, kStart + std::chrono::minutes(9));
  CHECK(group.size() == 2);
  std::ignore = text(group, kStart + std::chrono::minutes(11));
  CHECK(group.size() == 1);
}

TEST_CASE("a registry prints what it was given to print, before the end") {
  Registry registry;
  HistogramGroup group(info());
  registry.add_renderer([&group](std::string& out, MonoTime now) { group.render(out, now); });
  group.with("").observe(seconds(3));
  const std::string out = registry.render(kStart);
  CHECK(out.contains("took_seconds_count 1\n"));
  CHECK(out.ends_with("# EOF\n"));
}

}  // namespace
}  // namespace aquifer::telemetry
