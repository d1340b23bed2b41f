// Metrics: named counters and gauges with labels, and their text form. Labels are looked up once,
// when a handle is made; from then on counting is one relaxed atomic add from any thread, with no
// lock and no string.
//
//   Counter done = registry.counter("aquifer_things", "Things done.", {{"kind", "big"}});   // keep
//   it done.add();                                              // ->
//   aquifer_things_total{kind="big"} 1
#pragma once

#include "common/base/time.h"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace aquifer::telemetry {

enum class MetricKind : std::uint8_t { counter, gauge };

/// Counters are named without `_total`; the text form adds it.
struct MetricInfo {
  std::string name;
  std::string help;
  MetricKind kind = MetricKind::counter;
  /// Numbers are whole; what is printed is divided by this. A power of ten: seconds from
  /// nanoseconds.
  std::int64_t per_unit = 1;
};

/// Metrics that always have the same labels share them: one lookup for all of a connection's
/// counters.
inline constexpr std::size_t kMetricsPerGroupMax = 5;

/// Whom a series speaks of: workloads, by numbers that stand for their names. 0 is nobody.
using SeriesOwners = std::array<std::uint64_t, 2>;

/// One set of label values, with a number for each metric of its group.
struct Series {
  std::string labels;  ///< as they are printed: `{a="b",c="d"}`, or nothing
  SeriesOwners owners{};
  std::array<std::atomic<std::int64_t>, kMetricsPerGroupMax> values{};
};
using SeriesPtr = std::shared_ptr<Series>;

using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

/// Appends `name="value"` with the value escaped, after a comma or the opening brace.
void append_label(std::string& out, std::string_view name, std::string_view value);
/// `{a="b"}`, or nothing for no labels.
[[nodiscard]] std::string render_labels(Labels labels);

/// A number that only grows. Copies count into the same place; a default-made one counts nowhere.
class Counter {
 public:
  Counter() noexcept = default;
  Counter(SeriesPtr series, std::size_t index) noexcept
      : series_(std::move(series)), index_(index) {}
  void add(std::uint64_t n = 1) noexcept {
    if (series_)
      series_->values[index_].fetch_add(static_cast<std::int64_t>(n), std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t value() const noexcept {
    return series_
               ? static_cast<std::uint64_t>(series_->values[index_].load(std::memory_order_relaxed))
               : 0;
  }

 private:
  SeriesPtr series_;
  std::size_t index_ = 0;
};

/// A number that goes up and down.
class Gauge {
 public:
  Gauge() noexcept = default;
  Gauge(SeriesPtr series, std::size_t index) noexcept : series_(std::move(series)), index_(index) {}
  void add(std::int64_t n) noexcept {
    if (series_) series_->values[index_].fetch_add(n, std::memory_order_relaxed);
  }
  void set(std::int64_t n) noexcept {
    if (series_) series_->values[index_].store(n, std::memory_order_relaxed);
  }
  [[nodiscard]] std::int64_t value() const noexcept {
    return series_ ? series_->values[index_].load(std::memory_order_relaxed) : 0;
  }

 private:
  SeriesPtr series_;
  std::size_t index_ = 0;
};

/// One more in a gauge for as long as it lives: an open socket, a live tunnel.
class GaugeHold {
 public:
  GaugeHold() noexcept = default;
  explicit GaugeHold(Gauge gauge) noexcept : gauge_(std::move(gauge)), held_(true) {
    gauge_.add(1);
  }
  GaugeHold(GaugeHold&& other) noexcept
      : gauge_(std::move(other.gauge_)), held_(std::exchange(other.held_, false)) {}
  GaugeHold& operator=(GaugeHold&& other) noexcept {
    std::swap(gauge_, other.gauge_);
    std::swap(held_, other.held_);
    return *this;
  }
  GaugeHold(const GaugeHold&) = delete;
  GaugeHold& operator=(const GaugeHold&) = delete;
  ~GaugeHold() {
    if (held_) gauge_.add(-1);
  }

 private:
  Gauge gauge_;
  bool held_ = false;
};

/// Is a series with the value 0 worth a line? The traffic counters say no: most never fail.
enum class Zeros : std::uint8_t { print, leave_out };

struct GroupLimits {
  /// Label sets kept at once. Further ones are counted together under `overflow_labels`.
  std::size_t series_max = 1'000;
  Zeros zeros = Zeros::print;
};

/// A series is forgotten this long after its workload was last seen. Prometheus scrapes every 15 to
/// 60 s, so the last value was read; one that comes back begins at 0, which rate() takes for a
/// restart.
inline constexpr Duration kSeriesTtlDefault = std::chrono::minutes(10);

/// How long series are kept that nobody holds.
struct Retention {
  Duration ttl = kSeriesTtlDefault;
  /// Is this workload still in the mesh? Asked on the scraping thread, without a lock. None: nobody
  /// knows.
  std::function<bool(std::uint64_t owner)> exists;
};

/// The label sets of some metrics. Any thread; the lock is held for a hash lookup, or by a scrape
/// for copying pointers.
class MetricGroup {
 public:
  MetricGroup(std::vector<MetricInfo> metrics, std::string overflow_labels, GroupLimits limits);
  MetricGroup(const MetricGroup&) = delete;
  MetricGroup& operator=(const MetricGroup&) = delete;

  /// The series of these printed labels, made at the first use.
  [[nodiscard]] SeriesPtr series(std::string_view labels, SeriesOwners owners = {});
  [[nodiscard]] const std::vector<MetricInfo>& metrics() const noexcept { return metrics_; }
  [[nodiscard]] bool leaves_zeros_out() const noexcept { return limits_.zeros == Zeros::leave_out; }

  /// Forgets what is over, and gives the rest. Over is a series that nobody holds, that did not
  /// change for the time to live, and whose workload is gone for as long; without a known workload,
  /// or when no more series can be kept, rest alone is enough. One that rests while its workload
  /// lives is kept: a rate over a rare event would else never see it.
  [[nodiscard]] std::vector<SeriesPtr> collect(MonoTime now, const Retention& retention);
  [[nodiscard]] std::size_t size() const;

 private:
  struct Entry {
    SeriesPtr series;
    std::array<std::int64_t, kMetricsPerGroupMax> seen{};
    MonoTime changed;
    MonoTime gone = MonoTime::max();  // since when its workload is not found
  };
  [[nodiscard]] std::vector<SeriesPtr> resting(MonoTime now, Duration ttl);

  const std::vector<MetricInfo> metrics_;
  const GroupLimits limits_;
  const SeriesPtr overflow_;
  bool overflowed_ = false;
  mutable std::mutex mutex_;
  std::unordered_map<std::string_view, Entry> series_;  // keys are views of Series::labels
};

/// Text that is made while it is sent: appends about `bytes` more; false when that was the end.
using ScrapePart = std::function<bool(std::string& out, std::size_t bytes)>;

/// A scrape under way: the text in pieces, so that nobody is long at it and it is never whole in
/// memory. What is counted meanwhile may or may not be in it.
class Scrape {
 public:
  /// Appends about `bytes` more; false when that was the end.
  [[nodiscard]] bool next(std::string& out, std::size_t bytes);

 private:
  friend class Registry;
  struct Part {
    const MetricGroup* group;
    std::vector<SeriesPtr> shown;
  };
  std::vector<Part> parts_;
  std::vector<ScrapePart> more_;
  std::size_t more_at_ = 0;
  std::string tail_;
  std::size_t part_ = 0;
  std::size_t metric_ = 0;
  std::size_t series_ = 0;
  bool described_ = false;
};

/// All metrics of a process. Any thread.
class Registry {
 public:
  Registry() = default;
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  /// A handle; the same name and labels give the same number. A name belongs to one kind and one
  /// set of label names.
  [[nodiscard]] Counter counter(std::string_view name, std::string_view help, Labels labels = {});
  [[nodiscard]] Gauge gauge(std::string_view name, std::string_view help, Labels labels = {});
  /// A number that lives elsewhere: `read` is asked at each scrape, on the scraping thread, until
  /// the registry ends.
  void observe(MetricKind kind, std::string_view name, std::string_view help, Labels labels,
               std::function<std::int64_t()> read);
  void observe(MetricInfo metric, Labels labels, std::function<std::int64_t()> read);
  /// Several metrics that share their labels.
  [[nodiscard]] MetricGroup& group(std::vector<MetricInfo> metrics, std::string overflow_labels,
                                   GroupLimits limits);

  /// Text of another form (histograms), appended behind the rest at each scrape until the registry
  /// ends.
  void add_renderer(std::function<void(std::string& out, MonoTime now)> render);

  /// The same in pieces: `begin` is asked for one text at each scrape, on the scraping thread.
  void add_part(std::function<ScrapePart(MonoTime now)> begin);

  void set_retention(Retention retention);

  /// The whole in OpenMetrics text, as the peer prints it.
  [[nodiscard]] Scrape scrape(MonoTime now);
  [[nodiscard]] std::string render(MonoTime now);

 private:
  struct Observed {
    SeriesPtr series;
    std::function<std::int64_t()> read;
  };
  SeriesPtr find_or_make(MetricInfo metric, Labels labels);

  std::mutex mutex_;
  std::vector<std::unique_ptr<MetricGroup>>
      groups_;  // in order of registration, which is the order of the text
  std::unordered_map<std::string, MetricGroup*> by_name_;
  std::vector<Observed> observed_;
  std::vector<std::function<void(std::string&, MonoTime)>> renderers_;
  std::vector<std::function<ScrapePart(MonoTime)>> more_parts_;
  Retention retention_;
};

/// The Content-Type of render()'s text, by what the scraper's Accept header lists.
[[nodiscard]] std::string_view metrics_content_type(std::string_view accept) noexcept;

}  // namespace aquifer::telemetry
