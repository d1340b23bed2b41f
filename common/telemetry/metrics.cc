#include "common/telemetry/metrics.h"

#include "common/base/assert.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace aquifer::telemetry {
namespace {

// A label set is forgotten when nothing touched it for so long. Prometheus scrapes every 15 to 60
// s, so the last value was seen; a set that comes back starts at 0, which rate() takes for a
// restart.
constexpr auto kSeriesIdleMax = std::chrono::minutes(10);

constexpr std::string_view kOverflow = "other";

std::string overflow_of(Labels labels) {
  std::string out;
  for (const auto& [name, value] : labels) append_label(out, name, kOverflow);
  if (!out.empty()) out.push_back('}');
  return out;
}

void append_value(std::string& out, std::int64_t value, std::int64_t per_unit) {
  if (per_unit == 1) {
    fmt::format_to(std::back_inserter(out), " {}\n", value);
    return;
  }
  // Exact, which a floating-point number would not be: sums of these must be right.
  const std::int64_t size = value < 0 ? -value : value;
  std::size_t digits = 0;
  for (std::int64_t left = per_unit; left > 1; left /= 10) ++digits;
  fmt::format_to(std::back_inserter(out), " {}{}.{:0{}}\n", value < 0 ? "-" : "", size / per_unit,
                 size % per_unit, digits);
}

SeriesPtr make_series(std::string labels) {
  auto series = std::make_shared<Series>();
  series->labels = std::move(labels);
  return series;
}

}  // namespace

void append_label(std::string& out, std::string_view name, std::string_view value) {
  out.push_back(out.empty() ? '{' : ',');
  out.append(name).append("=\"");
  for (char c : value) {
    switch (c) {
      case '\\': out.append("\\\\"); break;
      case '"': out.append("\\\""); break;
      case '\n': out.append("\\n"); break;
      default: out.push_back(c);
    }
  }
  out.push_back('"');
}

std::string render_labels(Labels labels) {
  std::string out;
  for (const auto& [name, value] : labels) append_label(out, name, value);
  if (!out.empty()) out.push_back('}');
  return out;
}

MetricGroup::MetricGroup(std::vector<MetricInfo> metrics, std::string overflow_labels,
                         GroupLimits limits)
    : metrics_(std::move(metrics)),
      limits_(limits),
      overflow_(make_series(std::move(overflow_labels))) {
  AQUIFER_ASSERT(!metrics_.empty() && metrics_.size() <= kMetricsPerGroupMax);
}

SeriesPtr MetricGroup::series(std::string_view labels) {
  std::lock_guard lock(mutex_);
  if (auto found = series_.find(labels); found != series_.end()) return found->second.series;
  if (series_.size() >= limits_.series_max) {
    overflowed_ = true;
    return overflow_;
  }
  SeriesPtr made = make_series(std::string(labels));
  std::string_view key = made->labels;
  // The epoch as time of change: the first scrape sees a difference or starts the clock.
  series_.emplace(key, Entry{.series = made, .seen = {}, .changed = MonoTime()});
  return made;
}

std::size_t MetricGroup::size() const {
  std::lock_guard lock(mutex_);
  return series_.size();
}

void MetricGroup::evict(MonoTime now) {
  for (auto entry = series_.begin(); entry != series_.end();) {
    Entry& e = entry->second;
    bool changed = e.changed == MonoTime();
    for (std::size_t i = 0; i < metrics_.size(); ++i) {
      std::int64_t value = e.series->values[i].load(std::memory_order_relaxed);
      changed = changed || value != e.seen[i];
      e.seen[i] = value;
    }
    // Handles are only made under our lock, so a count of one cannot grow behind our back.
    bool held = e.series.use_count() > 1;
    if (changed || held) {
      e.changed = now;
      ++entry;
    } else if (now - e.changed >= kSeriesIdleMax) {
      entry = series_.erase(entry);
    } else {
      ++entry;
    }
  }
}

void MetricGroup::render(std::string& out, MonoTime now) {
  // Only pointers are copied under the lock: loops that resolve labels meanwhile wait microseconds,
  // not for the text.
  std::vector<SeriesPtr> shown;
  {
    std::lock_guard lock(mutex_);
    evict(now);
    shown.reserve(series_.size() + 1);
    for (const auto& [labels, entry] : series_) shown.push_back(entry.series);
    if (overflowed_) shown.push_back(overflow_);
  }
  for (std::size_t i = 0; i < metrics_.size(); ++i) {
    const MetricInfo& metric = metrics_[i];
    bool described = false;
    for (const SeriesPtr& series : shown) {
      std::int64_t value = series->values[i].load(std::memory_order_relaxed);
      if (value == 0 && limits_.zeros == Zeros::leave_out) continue;
      if (!std::exchange(described, true)) {
        fmt::format_to(std::back_inserter(out), "# HELP {} {}\n# TYPE {} {}\n", metric.name,
                       metric.help, metric.name,
                       metric.kind == MetricKind::counter ? "counter" : "gauge");
      }
      out.append(metric.name);
      if (metric.kind == MetricKind::counter) out.append("_total");
      out.append(series->labels);
      append_value(out, value, metric.per_unit);
    }
  }
}

MetricGroup& Registry::group(std::vector<MetricInfo> metrics, std::string overflow_labels,
                             GroupLimits limits) {
  std::lock_guard lock(mutex_);
  groups_.push_back(
      std::make_unique<MetricGroup>(std::move(metrics), std::move(overflow_labels), limits));
  MetricGroup& made = *groups_.back();
  for (const MetricInfo& metric : made.metrics()) {
    bool is_new = by_name_.emplace(metric.name, &made).second;
    AQUIFER_ASSERT(is_new);
  }
  return made;
}

SeriesPtr Registry::find_or_make(MetricInfo metric, Labels labels) {
  MetricGroup* found = nullptr;
  {
    std::lock_guard lock(mutex_);
    if (auto known = by_name_.find(metric.name); known != by_name_.end()) found = known->second;
  }
  if (found == nullptr) {
    found = &group({metric}, overflow_of(labels), GroupLimits());
  }
  AQUIFER_ASSERT(found->metrics().size() == 1 && found->metrics().front().kind == metric.kind);
  return found->series(render_labels(labels));
}

Counter Registry::counter(std::string_view name, std::string_view help, Labels labels) {
  MetricInfo metric{.name = std::string(name), .help = std::string(help)};
  return {find_or_make(std::move(metric), labels), 0};
}

Gauge Registry::gauge(std::string_view name, std::string_view help, Labels labels) {
  MetricInfo metric{
      .name = std::string(name), .help = std::string(help), .kind = MetricKind::gauge};
  return {find_or_make(std::move(metric), labels), 0};
}

void Registry::observe(MetricKind kind, std::string_view name, std::string_view help, Labels labels,
                       std::function<std::int64_t()> read) {
  observe({.name = std::string(name), .help = std::string(help), .kind = kind}, labels,
          std::move(read));
}

void Registry::observe(MetricInfo metric, Labels labels, std::function<std::int64_t()> read) {
  SeriesPtr series = find_or_make(std::move(metric), labels);
  std::lock_guard lock(mutex_);
  observed_.push_back({std::move(series), std::move(read)});
}

void Registry::add_renderer(std::function<void(std::string& out, MonoTime now)> render_more) {
  std::lock_guard lock(mutex_);
  renderers_.push_back(std::move(render_more));
}

std::string Registry::render(MonoTime now) {
  std::lock_guard lock(mutex_);
  for (const Observed& observed : observed_) {
    observed.series->values[0].store(observed.read(), std::memory_order_relaxed);
  }
  std::string out;
  for (const auto& group : groups_) group->render(out, now);
  for (const auto& render_more : renderers_) render_more(out, now);
  out.append("# EOF\n");
  return out;
}

std::string_view metrics_content_type(std::string_view accept) noexcept {
  constexpr std::string_view kOpenMetrics = "application/openmetrics-text";
  while (!accept.empty()) {
    std::size_t comma = accept.find(',');
    std::string_view type = accept.substr(0, comma);
    accept.remove_prefix(comma == std::string_view::npos ? accept.size() : comma + 1);
    while (!type.empty() && type.front() == ' ') type.remove_prefix(1);
    type = type.substr(0, type.find_first_of("; "));
    if (type == kOpenMetrics) return "application/openmetrics-text;charset=utf-8;version=1.0.0";
  }
  return "text/plain; charset=utf-8";
}

}  // namespace aquifer::telemetry
