#include "common/telemetry/metrics.h"

#include "common/base/assert.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace aquifer::telemetry {
namespace {

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

SeriesPtr MetricGroup::series(std::string_view labels, SeriesOwners owners) {
  std::lock_guard lock(mutex_);
  if (auto found = series_.find(labels); found != series_.end()) return found->second.series;
  if (series_.size() >= limits_.series_max) {
    overflowed_ = true;
    return overflow_;
  }
  SeriesPtr made = make_series(std::string(labels));
  made->owners = owners;
  std::string_view key = made->labels;
  // The epoch as time of change: the first scrape sees a difference or starts the clock.
  series_.emplace(
      key, Entry{.series = made, .seen = {}, .changed = MonoTime(), .gone = MonoTime::max()});
  return made;
}

std::size_t MetricGroup::size() const {
  std::lock_guard lock(mutex_);
  return series_.size();
}

std::vector<SeriesPtr> MetricGroup::resting(MonoTime now, Duration ttl) {
  std::vector<SeriesPtr> result;
  std::lock_guard lock(mutex_);
  for (auto& [labels, e] : series_) {
    bool changed = e.changed == MonoTime();
    for (std::size_t i = 0; i < metrics_.size(); ++i) {
      const std::int64_t value = e.series->values[i].load(std::memory_order_relaxed);
      changed = changed || value != e.seen[i];
      e.seen[i] = value;
    }
    if (changed || e.series.use_count() > 1) {
      e.changed = now;
    } else if (now - e.changed >= ttl) {
      result.push_back(e.series);
    }
  }
  return result;
}

std::vector<SeriesPtr> MetricGroup::collect(MonoTime now, const Retention& retention) {
  const std::vector<SeriesPtr> candidates = resting(now, retention.ttl);
  // Whether a workload exists takes longer to find out than loops that resolve labels may wait.
  const auto lives = [&retention](const SeriesPtr& series) {
    const auto& [a, b] = series->owners;
    if (!retention.exists || (a == 0 && b == 0)) return false;
    return (a == 0 || retention.exists(a)) && (b == 0 || retention.exists(b));
  };
  std::vector<bool> alive;
  alive.reserve(candidates.size());
  for (const SeriesPtr& series : candidates) alive.push_back(lives(series));

  std::vector<SeriesPtr> shown;
  std::lock_guard lock(mutex_);
  const bool full = series_.size() >= limits_.series_max;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const auto entry = series_.find(candidates[i]->labels);
    // Somebody may have taken it up meanwhile. Handles are only made under our lock, so a count of
    // two (the entry's and ours) cannot grow behind our back.
    if (entry == series_.end() || entry->second.series.use_count() > 2) continue;
    Entry& e = entry->second;
    if (alive[i] && !full) {
      e.gone = MonoTime::max();
      continue;
    }
    const bool known = e.series->owners != SeriesOwners{} && retention.exists;
    if (e.gone == MonoTime::max()) e.gone = known && !full ? now : e.changed;
    if (now - e.gone >= retention.ttl || full) series_.erase(entry);
  }
  shown.reserve(series_.size() + 1);
  for (const auto& [labels, entry] : series_) shown.push_back(entry.series);
  if (overflowed_) shown.push_back(overflow_);
  return shown;
}

bool Scrape::next(std::string& out, std::size_t bytes) {
  const std::size_t enough = out.size() + bytes;
  for (; part_ < parts_.size(); ++part_, metric_ = 0) {
    const Part& part = parts_[part_];
    const std::vector<MetricInfo>& metrics = part.group->metrics();
    for (; metric_ < metrics.size(); ++metric_, series_ = 0, described_ = false) {
      const MetricInfo& metric = metrics[metric_];
      for (; series_ < part.shown.size(); ++series_) {
        if (out.size() >= enough) return true;
        const Series& series = *part.shown[series_];
        const std::int64_t value = series.values[metric_].load(std::memory_order_relaxed);
        if (value == 0 && part.group->leaves_zeros_out()) continue;
        if (!std::exchange(described_, true)) {
          fmt::format_to(std::back_inserter(out), "# HELP {} {}\n# TYPE {} {}\n", metric.name,
                         metric.help, metric.name,
                         metric.kind == MetricKind::counter ? "counter" : "gauge");
        }
        out.append(metric.name);
        if (metric.kind == MetricKind::counter) out.append("_total");
        out.append(series.labels);
        append_value(out, value, metric.per_unit);
      }
    }
  }
  for (; more_at_ < more_.size(); ++more_at_) {
    if (more_[more_at_](out, bytes)) return true;
  }
  out.append(std::exchange(tail_, {}));
  return false;
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

void Registry::add_part(std::function<ScrapePart(MonoTime)> begin) {
  std::lock_guard lock(mutex_);
  more_parts_.push_back(std::move(begin));
}

void Registry::set_retention(Retention retention) {
  std::lock_guard lock(mutex_);
  retention_ = std::move(retention);
}

Scrape Registry::scrape(MonoTime now) {
  std::lock_guard lock(mutex_);
  for (const Observed& observed : observed_) {
    observed.series->values[0].store(observed.read(), std::memory_order_relaxed);
  }
  Scrape scrape;
  for (const auto& group : groups_)
    scrape.parts_.push_back({group.get(), group->collect(now, retention_)});
  for (const auto& begin : more_parts_) scrape.more_.push_back(begin(now));
  for (const auto& render_more : renderers_) render_more(scrape.tail_, now);
  scrape.tail_.append("# EOF\n");
  return scrape;
}

std::string Registry::render(MonoTime now) {
  Scrape under_way = scrape(now);
  std::string out;
  while (under_way.next(out, out.max_size() / 2)) {
  }
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
