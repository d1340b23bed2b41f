#include "common/telemetry/histogram_set.h"

#include "common/base/assert.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>

namespace aquifer::telemetry {

HistogramCells::HistogramCells(std::size_t histograms, std::size_t bounds)
    : stride_(bounds + 2),
      cells_(std::make_unique<std::atomic<std::uint64_t>[]>(histograms * stride_)) {}

std::vector<double> HistogramSet::envoy_bounds() {
  return {0.5,  1,    5,     10,    25,    50,     100,    250,     500,    1000,
          2500, 5000, 10000, 30000, 60000, 300000, 600000, 1800000, 3600000};
}

HistogramSet::HistogramSet(std::vector<HistogramInfo> histograms, std::vector<double> bounds)
    : histograms_(std::move(histograms)), bounds_(std::move(bounds)) {
  AQUIFER_ASSERT(std::ranges::is_sorted(bounds_));
  for (const double bound : bounds_) bound_texts_.push_back(fmt::format("{}", bound));
  for (const HistogramInfo& info : histograms_) {
    std::vector<std::uint64_t>& limits = limits_.emplace_back();
    for (const double bound : bounds_)
      limits.push_back(static_cast<std::uint64_t>(bound * static_cast<double>(info.per_unit)));
  }
}

std::shared_ptr<HistogramCells> HistogramSet::of(const SeriesPtr& series) {
  const std::lock_guard lock(mutex_);
  Entry& entry = entries_[series.get()];
  // Another series may have had this address.
  if (entry.series.lock() != series) {
    entry.series = series;
    entry.cells = std::make_shared<HistogramCells>(histograms_.size(), bounds_.size());
  }
  return entry.cells;
}

void HistogramSet::observe(HistogramCells& cells, std::size_t histogram,
                           std::uint64_t value) const noexcept {
  const std::vector<std::uint64_t>& limits = limits_[histogram];
  const auto bucket =
      static_cast<std::size_t>(std::ranges::lower_bound(limits, value) - limits.begin());
  std::atomic<std::uint64_t>* own = &cells.cells_[histogram * cells.stride_];
  own[bucket].fetch_add(1, std::memory_order_relaxed);
  own[cells.stride_ - 1].fetch_add(value, std::memory_order_relaxed);
}

std::size_t HistogramSet::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

std::vector<HistogramSet::Shown> HistogramSet::collect() {
  std::vector<Shown> shown;
  const std::lock_guard lock(mutex_);
  for (auto at = entries_.begin(); at != entries_.end();) {
    SeriesPtr series = at->second.series.lock();
    if (series == nullptr) {
      at = entries_.erase(at);
      continue;
    }
    shown.push_back({std::move(series), at->second.cells});
    ++at;
  }
  return shown;
}

void HistogramSet::add_to(Registry& registry) {
  registry.add_part([this](MonoTime) -> ScrapePart {
    auto shown = std::make_shared<const std::vector<Shown>>(collect());
    return [this, shown, place = Place()](std::string& out, std::size_t bytes) mutable {
      return append(*shown, place, out, bytes);
    };
  });
}

bool HistogramSet::append(const std::vector<Shown>& shown, Place& place, std::string& out,
                          std::size_t bytes) const {
  const std::size_t enough = out.size() + bytes;
  for (; place.histogram < histograms_.size(); ++place.histogram, place.series = 0) {
    const HistogramInfo& info = histograms_[place.histogram];
    for (; place.series < shown.size(); ++place.series) {
      if (out.size() >= enough) return true;
      if (place.series == 0) {
        fmt::format_to(std::back_inserter(out), "# HELP {} {}\n# TYPE {} histogram\n", info.name,
                       info.help, info.name);
      }
      append_series(out, place.histogram, shown[place.series]);
    }
  }
  return false;
}

void HistogramSet::append_series(std::string& out, std::size_t histogram,
                                 const Shown& shown) const {
  const HistogramInfo& info = histograms_[histogram];
  const std::size_t stride = shown.cells->stride_;
  const std::atomic<std::uint64_t>* own = &shown.cells->cells_[histogram * stride];
  // `le` comes last, inside the braces of the other labels.
  std::string_view labels = shown.series->labels;
  std::string begin = labels.empty() ? "{" : std::string(labels.substr(0, labels.size() - 1)) + ",";
  auto to = std::back_inserter(out);
  std::uint64_t below = 0;
  for (std::size_t i = 0; i <= bounds_.size(); ++i) {
    below += own[i].load(std::memory_order_relaxed);
    const std::string_view bound =
        i < bounds_.size() ? std::string_view(bound_texts_[i]) : std::string_view("+Inf");
    fmt::format_to(to, "{}_bucket{}le=\"{}\"}} {}\n", info.name, begin, bound, below);
  }
  const std::uint64_t sum = own[stride - 1].load(std::memory_order_relaxed);
  const auto per_unit = static_cast<double>(info.per_unit);
  fmt::format_to(to, "{}_sum{} {}\n{}_count{} {}\n", info.name, labels,
                 static_cast<double>(sum) / per_unit, info.name, labels, below);
}

}  // namespace aquifer::telemetry
