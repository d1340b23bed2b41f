// Histogram: how long things take, as counts up to named bounds. Made and rendered like the other
// metrics (metrics.h); counting is a few relaxed atomic adds from any thread.
#pragma once

#include "common/base/time.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace aquifer::telemetry {

/// One set of label values.
struct HistogramSeries {
  std::string labels;  ///< as they are printed, see render_labels()
  const std::vector<double>* bounds = nullptr;
  std::unique_ptr<std::atomic<std::uint64_t>[]> counts;  ///< one per bound, and one for the rest
  std::atomic<std::uint64_t> sum_ns{0};
};

/// A handle; copies count into the same place, a default-made one nowhere. Must not outlive its
/// group.
class Histogram {
 public:
  Histogram() noexcept = default;
  explicit Histogram(std::shared_ptr<HistogramSeries> series) noexcept
      : series_(std::move(series)) {}
  void observe(Duration took) noexcept;
  /// All observations.
  [[nodiscard]] std::uint64_t count() const noexcept;

 private:
  std::shared_ptr<HistogramSeries> series_;
};

/// The label sets of one histogram. Any thread.
class HistogramGroup {
 public:
  struct Info {
    std::string name;
    std::string help;
    std::vector<double> bounds_seconds;  ///< ascending, the infinite one left out
    std::string overflow_labels;         ///< of what comes after series_max sets
    std::size_t series_max = 1'000;
  };
  explicit HistogramGroup(Info info);
  HistogramGroup(const HistogramGroup&) = delete;
  HistogramGroup& operator=(const HistogramGroup&) = delete;

  /// The histogram of these printed labels, made at the first use.
  [[nodiscard]] Histogram with(std::string_view labels);
  /// Forgets series that nobody holds and that did not change for a while, then appends the rest.
  void render(std::string& out, MonoTime now);
  [[nodiscard]] std::size_t size() const;

 private:
  struct Entry {
    std::shared_ptr<HistogramSeries> series;
    std::uint64_t seen = 0;
    MonoTime changed;
  };
  [[nodiscard]] std::shared_ptr<HistogramSeries> make(std::string labels) const;
  void evict(MonoTime now);

  const Info info_;
  const std::shared_ptr<HistogramSeries> overflow_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string_view, Entry> series_;  // keys are views of their labels
};

}  // namespace aquifer::telemetry
