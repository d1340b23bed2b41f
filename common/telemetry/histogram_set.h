// HistogramSet: several histograms under each label set of a metric group, for what is counted
// along with its counters: durations and sizes of requests. A label set lives as long as the
// group's. Observing is a few relaxed atomic adds from any thread; text is made piece by piece, for
// these are twenty lines for each label set.
#pragma once

#include "common/telemetry/metrics.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

namespace aquifer::telemetry {

struct HistogramInfo {
  std::string name;
  std::string help;
  /// What is observed is whole; bounds and sums are printed divided by this: milliseconds from
  /// nanoseconds.
  std::int64_t per_unit = 1;
};

/// The counts of one label set.
class HistogramCells {
 public:
  HistogramCells(std::size_t histograms, std::size_t bounds);

 private:
  friend class HistogramSet;
  const std::size_t stride_;  // of one histogram: a count per bound, one for the rest, the sum
  std::unique_ptr<std::atomic<std::uint64_t>[]> cells_;
};

class HistogramSet {
 public:
  /// `bounds` ascend, the infinite one left out; all the histograms share them.
  HistogramSet(std::vector<HistogramInfo> histograms, std::vector<double> bounds);
  HistogramSet(const HistogramSet&) = delete;
  HistogramSet& operator=(const HistogramSet&) = delete;

  /// The counts beside this series, made at the first use.
  [[nodiscard]] std::shared_ptr<HistogramCells> of(const SeriesPtr& series);
  void observe(HistogramCells& cells, std::size_t histogram, std::uint64_t value) const noexcept;
  /// Adds its text to every scrape of `registry`. Outlives the registry's last scrape.
  void add_to(Registry& registry);
  [[nodiscard]] std::size_t size() const;

  /// As Envoy's default for everything that it measures.
  [[nodiscard]] static std::vector<double> envoy_bounds();

 private:
  struct Entry {
    std::weak_ptr<Series> series;  // gone when its group has forgotten it
    std::shared_ptr<HistogramCells> cells;
  };
  struct Shown {
    SeriesPtr series;
    std::shared_ptr<HistogramCells> cells;
  };
  struct Place {
    std::size_t histogram = 0;
    std::size_t series = 0;
  };
  [[nodiscard]] std::vector<Shown> collect();
  [[nodiscard]] bool append(const std::vector<Shown>& shown, Place& place, std::string& out,
                            std::size_t bytes) const;
  void append_series(std::string& out, std::size_t histogram, const Shown& shown) const;

  const std::vector<HistogramInfo> histograms_;
  const std::vector<double> bounds_;
  std::vector<std::vector<std::uint64_t>> limits_;  // of each histogram, in what is observed
  std::vector<std::string> bound_texts_;
  mutable std::mutex mutex_;
  std::unordered_map<const Series*, Entry> entries_;
};

}  // namespace aquifer::telemetry
