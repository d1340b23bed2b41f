#include "common/telemetry/histogram.h"

#include "common/base/assert.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace aquifer::telemetry {
namespace {

// As for counters: long enough to have been scraped.
constexpr auto kSeriesIdleMax = std::chrono::minutes(10);

std::uint64_t total(const HistogramSeries& series) noexcept {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i <= series.bounds->size(); ++i)
    sum += series.counts[i].load(std::memory_order_relaxed);
  return sum;
}

// `le` comes last, inside the braces of the other labels.
std::string bucket_labels(std::string_view labels, std::string_view bound) {
  if (labels.empty()) return fmt::format("{{le=\"{}\"}}", bound);
  return fmt::format("{},le=\"{}\"}}", labels.substr(0, labels.size() - 1), bound);
}

void render_series(std::string& out, std::string_view name, const HistogramSeries& series) {
  auto to = std::back_inserter(out);
  // Read once, so that the parts of one scrape agree with each other.
  std::uint64_t below = 0;
  for (std::size_t i = 0; i <= series.bounds->size(); ++i) {
    below += series.counts[i].load(std::memory_order_relaxed);
    const std::string bound =
        i < series.bounds->size() ? fmt::format("{}", (*series.bounds)[i]) : std::string("+Inf");
    fmt::format_to(to, "{}_bucket{} {}\n", name, bucket_labels(series.labels, bound), below);
  }
  const double seconds =
      static_cast<double>(series.sum_ns.load(std::memory_order_relaxed)) / 1'000'000'000.0;
  fmt::format_to(to, "{}_sum{} {}\n{}_count{} {}\n", name, series.labels, seconds, name,
                 series.labels, below);
}

}  // namespace

void Histogram::observe(Duration took) noexcept {
  if (series_ == nullptr) return;
  const auto ns =
      std::max<std::int64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(took).count(), 0);
  const double seconds = static_cast<double>(ns) / 1'000'000'000.0;
  const auto bucket =
      std::ranges::lower_bound(*series_->bounds, seconds) - series_->bounds->begin();
  series_->counts[static_cast<std::size_t>(bucket)].fetch_add(1, std::memory_order_relaxed);
  series_->sum_ns.fetch_add(static_cast<std::uint64_t>(ns), std::memory_order_relaxed);
}

std::uint64_t Histogram::count() const noexcept {
  return series_ == nullptr ? 0 : total(*series_);
}

HistogramGroup::HistogramGroup(Info info)
    : info_(std::move(info)), overflow_(make(info_.overflow_labels)) {
  AQUIFER_ASSERT(std::ranges::is_sorted(info_.bounds_seconds));
}

std::shared_ptr<HistogramSeries> HistogramGroup::make(std::string labels) const {
  auto series = std::make_shared<HistogramSeries>();
  series->labels = std::move(labels);
  series->bounds = &info_.bounds_seconds;
  series->counts = std::make_unique<std::atomic<std::uint64_t>[]>(info_.bounds_seconds.size() + 1);
  return series;
}

Histogram HistogramGroup::with(std::string_view labels) {
  const std::lock_guard lock(mutex_);
  if (const auto found = series_.find(labels); found != series_.end())
    return Histogram(found->second.series);
  if (series_.size() >= info_.series_max) return Histogram(overflow_);
  auto made = make(std::string(labels));
  series_.emplace(made->labels, Entry{.series = made, .seen = 0, .changed = MonoTime()});
  return Histogram(std::move(made));
}

std::size_t HistogramGroup::size() const {
  const std::lock_guard lock(mutex_);
  return series_.size();
}

void HistogramGroup::evict(MonoTime now) {
  for (auto at = series_.begin(); at != series_.end();) {
    Entry& entry = at->second;
    const std::uint64_t count = total(*entry.series);
    const bool in_use = entry.series.use_count() > 1;
    if (in_use || count != entry.seen || entry.changed == MonoTime()) {
      entry.seen = count;
      entry.changed = now;
    }
    at = now - entry.changed >= kSeriesIdleMax ? series_.erase(at) : std::next(at);
  }
}

void HistogramGroup::render(std::string& out, MonoTime now) {
  std::vector<std::shared_ptr<HistogramSeries>> shown;
  {
    const std::lock_guard lock(mutex_);
    evict(now);
    for (const auto& [labels, entry] : series_) shown.push_back(entry.series);
  }
  shown.push_back(overflow_);
  // Ten lines that say nothing.
  std::erase_if(shown, [](const auto& series) { return total(*series) == 0; });
  if (shown.empty()) return;
  fmt::format_to(std::back_inserter(out), "# HELP {} {}\n# TYPE {} histogram\n", info_.name,
                 info_.help, info_.name);
  for (const auto& series : shown) render_series(out, info_.name, *series);
}

}  // namespace aquifer::telemetry
